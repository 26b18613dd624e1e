/**
 * The board `kvm`: KVM's own devices, and of userspace only what a guest needs to speak and to end. Every other port
 * is unclaimed, so that a trace shows the kernel's path and little else.
 */
import { DebugConsole } from '../devices/debug-console.ts';
import { ExitPort } from '../devices/exit-port.ts';
import { COM1_IRQ, Serial16550A } from '../devices/serial.ts';
import type { Board, BoardOptions } from './board.ts';
import type { BoardDevice, DeviceWiring } from './board-plan.ts';
import { Machine } from './machine.ts';

/** UART, debug consoles, exit port: every board has them. */
export function createKvmDevices(wiring: DeviceWiring): BoardDevice[] {
  return [
    new Serial16550A({ clock: wiring.clock, irq: wiring.gsi(COM1_IRQ), sink: wiring.serial }),
    new DebugConsole(wiring.debug),
    new ExitPort((code) => wiring.onExit(code)),
  ];
}

/** Builds the board. @throws EmulatorError `E_ARGUMENT` for an option out of range. */
export function createKvmBoard(options: BoardOptions = {}): Board {
  return new Machine({ name: 'kvm', createDevices: createKvmDevices }, options);
}
