/**
 * The board `pc`: the board `kvm` and the rest of a small PC, enough for firmware and real-mode programs: clock and
 * CMOS memory, keyboard controller, POST latch, fast A20 and reset, ACPI timer.
 */
import { A20Gate } from '../devices/a20-gate.ts';
import { fillCmosLayout } from '../devices/cmos-layout.ts';
import { I8042 } from '../devices/i8042.ts';
import { I8042_KBD_IRQ } from '../devices/i8042-reg.ts';
import { Mc146818, RTC_IRQ } from '../devices/mc146818.ts';
import { AcpiPmTimer } from '../devices/pm-timer.ts';
import { Port92 } from '../devices/port92.ts';
import { PostCodeLatch } from '../devices/post-code.ts';
import type { Board, BoardOptions } from './board.ts';
import type { BoardDevice, DeviceWiring } from './board-plan.ts';
import { createKvmDevices } from './kvm.ts';
import { Machine } from './machine.ts';

/** The devices of a PC. */
export function createPcDevices(wiring: DeviceWiring): BoardDevice[] {
  const a20 = new A20Gate((isOpen) => wiring.setA20(isOpen));
  return [
    ...createKvmDevices(wiring),
    new I8042({
      irq: wiring.gsi(I8042_KBD_IRQ),
      setA20: (wantsOpen) => a20.request('i8042', wantsOpen),
      onReset: () => wiring.onReset('keyboard controller'),
    }),
    new Port92({
      setA20: (wantsOpen) => a20.request('port92', wantsOpen),
      onReset: () => wiring.onReset('port 0x92'),
    }),
    new Mc146818({
      clock: wiring.clock,
      irq: wiring.gsi(RTC_IRQ),
      seconds: wiring.rtcSeconds,
      fillCmos: (regs) => fillCmosLayout(regs, wiring.memoryBytes),
    }),
    new PostCodeLatch(),
    new AcpiPmTimer(wiring.clock),
  ];
}

/** Builds the board. @throws EmulatorError `E_ARGUMENT` for an option out of range. */
export function createPcBoard(options: BoardOptions = {}): Board {
  return new Machine({ name: 'pc', createDevices: createPcDevices }, options);
}
