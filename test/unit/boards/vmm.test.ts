import { describe, expect, it } from 'vitest';
import { createPcDevices } from '../../../src/boards/pc.ts';
import { Vmm, type VmmEnd, type VmmOptions } from '../../../src/boards/vmm.ts';
import { Pio86Engine } from '../../../src/diff/pio86-engine.ts';
import { loadImage } from '../../../src/loaders/load.ts';
import { planRaw } from '../../../src/loaders/raw.ts';

const LOAD_AT = 0x1000;
const MEMORY_BYTES = 0x20_0000;

function vmm(options: Partial<VmmOptions> = {}): Vmm {
  const engine = new Pio86Engine({ forceEmulation: false, sliceTicks: 100_000 });
  let nowNs = 0;
  const time = { nowNs: () => (nowNs += 1000) };
  return new Vmm(
    engine,
    { name: 'pc', createDevices: createPcDevices },
    { memoryBytes: MEMORY_BYTES, time, ...options },
  );
}

function load(machine: Vmm, hex: string): void {
  const bytes = Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'));
  loadImage(machine.loadTarget, planRaw({ name: 'test', bytes }, LOAD_AT));
}

function runToEnd(machine: Vmm): VmmEnd {
  let end = machine.run();
  for (let i = 0; end.kind === 'slice' && i < 10; i++) end = machine.run();
  return end;
}

describe('Vmm', () => {
  it('answers the exits of a guest from the boards’ devices', () => {
    const serial: number[] = [];
    const machine = vmm({ serial: { write: (byte) => void serial.push(byte) } });
    load(machine, 'ba f8 03 b0 48 ee b0 07 e6 f4 f4'); // 'H' to the UART, 7 to the exit port
    expect(runToEnd(machine)).toEqual({ kind: 'exit', code: 7 });
    expect(serial).toEqual([0x48]);
    expect(machine.regs().eip).toBe(LOAD_AT + 10); // the OUT is completed
  });

  it('shows the first megabyte in the second one while the A20 gate is closed', () => {
    const machine = vmm();
    // ds = 0xffff; the keyboard controller's gate closed, port 0x92's too: [0x510] = 0x5a; port 0x92 opens: [0x510] = 0x77
    load(
      machine,
      `b8 ff ff 8e d8 b0 d1 e6 64 b0 dd e6 60 e4 92 24 fc e6 92 c6 06 10 05 5a
       e4 92 0c 02 24 fe e6 92 c6 06 10 05 77 f4`,
    );
    expect(runToEnd(machine).kind).toBe('halted');
    expect([...machine.memory.read(0x500, 1), ...machine.memory.read(0x10_0500, 1)]).toEqual([0x5a, 0x77]);
  });

  it('goes back to the power-on state at a reset, memory and time stay', () => {
    const machine = vmm();
    const initial = machine.regs();
    load(machine, 'c6 06 00 05 11 b0 ff e6 21 b0 01 e6 92 f4'); // [0x500] = 0x11; PIC mask; reset by port 0x92
    expect(runToEnd(machine)).toMatchObject({ kind: 'reset', source: 'port 0x92' });
    machine.reset();
    expect(machine.regs()).toEqual(initial);
    expect(machine.sregs().cs).toMatchObject({ selector: 0xf000, base: 0xffff_0000 });
    expect(machine.vm.getIrqchip(0)).toMatchObject({ imr: 0 });
    expect([...machine.memory.read(0x500, 1)]).toEqual([0x11]);
  });

  it('keeps ROM as it is, and ends at an unclaimed port under the policy error', () => {
    const machine = vmm({ unclaimed: 'error' });
    machine.loadTarget.addRom(new Uint8Array(0x1000).fill(0xaa), 0xf_f000);
    load(machine, 'b8 00 ff 8e d8 c6 06 00 00 55 e4 99 f4'); // store to FF00:0000, then IN from port 0x99
    const end = runToEnd(machine);
    expect(end).toMatchObject({ kind: 'unclaimed', message: expect.stringContaining('port 0x0099') });
    expect([...machine.memory.read(0xf_f000, 1)]).toEqual([0xaa]);
  });

  it('refuses ROM that is not whole pages', () => {
    expect(() => vmm().loadTarget.addRom(new Uint8Array(10), 0xf_f000)).toThrow(/whole pages/);
  });
});
