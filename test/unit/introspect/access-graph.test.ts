import { describe, expect, it } from 'vitest';
import type { Board } from '../../../src/boards/board.ts';
import { createPcBoard } from '../../../src/boards/pc.ts';
import { AccessGraph, type AccessGraphOptions } from '../../../src/introspect/access-graph.ts';

/** Runs code at 0x1000 and returns the graphs. */
function graphsOf(code: string, options: Partial<AccessGraphOptions> = {}, board: Board = createPcBoard()) {
  board.vm.memory.write(0x1000, Uint8Array.from(Buffer.from(code.replaceAll(' ', ''), 'hex')));
  const sregs = board.vcpu.getSregs();
  board.vcpu.setSregs({ ...sregs, cs: { ...sregs.cs, selector: 0, base: 0 } });
  board.vcpu.setRegs({ ...board.vcpu.getRegs(), eip: 0x1000, eax: 0x34 });
  const texts: string[] = [];
  const graph = new AccessGraph(board.vm.clock, { ports: [], limit: 100, ...options }, (text) =>
    texts.push(text),
  );
  board.vm.setHooks(graph);
  board.vcpu.trace = graph.tracepoints;
  expect(board.run(100).kind).toBe('halted');
  return { texts, graph };
}

/** `a { b; }`: names without time and layout. */
function shape(text = ''): string {
  return text
    .replace(/^.*\| +/gm, '')
    .replace(/\/\*.*\*\/\n/g, '')
    .replace(/\(\)/g, '')
    .replace(/\s+/g, ' ')
    .trim();
}

describe('the call graph of an access', () => {
  it('to a kernel device goes from handle_io down to the device and back', () => {
    const { texts } = graphsOf('e6 43 f4'); // out 0x43,al; hlt
    expect(texts.map(shape)).toEqual([
      'handle_io { kvm_fast_pio { kvm_fast_pio_out { emulator_pio_out { emulator_pio_in_out { kernel_pio { ' +
        'kvm_io_bus_write { __kvm_io_bus_write { kvm_io_bus_get_first_dev; kvm_iodevice_write { ' +
        'pit_ioport_write; } } } } } } } kvm_skip_emulated_instruction; } }',
    ]);
    expect(texts[0]).toContain('/* kvm_pio: pio_write at 0x43 size 1 count 1 val 0x34  */\n');
    // One instruction is 10 ns.
    expect(texts[0]).toMatch(/\n 0\) {4}0\.010 us \| {3}\}\n$/);
  });

  it('to userspace is two graphs: the exit, and its completion', () => {
    const { texts } = graphsOf('e4 80 f4'); // in al,0x80; hlt
    expect(texts.map((text) => shape(text).split(' ')[0])).toEqual(['handle_io', 'complete_fast_pio_in']);
  });

  it('shows only the ports asked for', () => {
    const { texts } = graphsOf('e6 43 e6 80 e6 61 f4', { ports: [{ first: 0x60, last: 0x6f }] });
    expect(texts).toHaveLength(1);
    expect(texts[0]).toContain('speaker_ioport_write');
  });

  it('ends at the limit', () => {
    const { texts, graph } = graphsOf('e6 43 e6 43 e6 43 f4', { limit: 2 });
    expect([texts.length, graph.isDone]).toEqual([2, true]);
  });

  it('of forced emulation passes em_out', () => {
    const { texts } = graphsOf('e6 43 f4', {}, createPcBoard({ forceEmulation: true }));
    expect(shape(texts[0])).toContain('x86_emulate_insn { check_perm_out');
    expect(shape(texts[0])).toContain('em_out { emulator_pio_out_emulated { emulator_pio_out {');
  });
});
