import { describe, expect, it } from 'vitest';
import {
  CallGraphRecorder,
  type CallNode,
  formatCallGraph,
  kernelName,
} from '../../../src/trace/call-graph.ts';

describe('kernelName', () => {
  it.each([
    ['kvmFastPio', 'kvm_fast_pio'],
    ['x86EmulateInsn', 'x86_emulate_insn'],
    ['__kvmIoBusWrite', '__kvm_io_bus_write'],
    ['picSetIrq1', 'pic_set_irq1'],
    ['completeFastPioOutPort0x7e', 'complete_fast_pio_out_port_0x7e'],
  ])('%s', (ours, kernels) => {
    expect(kernelName(ours)).toBe(kernels);
  });
});

describe('CallGraphRecorder', () => {
  it('gives each outermost call as a tree, printed like function_graph', () => {
    const clock = { nowNs: 0 };
    const roots: CallNode[] = [];
    const recorder = new CallGraphRecorder(clock, (root) => roots.push(root));
    recorder.enter('handleIo');
    recorder.enter('kvmFastPio');
    recorder.leave();
    clock.nowNs = 10;
    recorder.enter('kvmSkipEmulatedInstruction');
    clock.nowNs = 1230;
    recorder.leave();
    recorder.leave();
    recorder.enter('handleIo');
    recorder.leave();
    expect(roots).toHaveLength(2);
    expect(roots[0] === undefined ? '' : formatCallGraph(roots[0])).toBe(
      [
        '# CPU  DURATION                FUNCTION CALLS',
        '# |     |   |                   |   |   |   |',
        ' 0)             |   handle_io() {',
        ' 0)    0.000 us |     kvm_fast_pio();',
        ' 0)    1.220 us |     kvm_skip_emulated_instruction();',
        ' 0)    1.230 us |   }',
        '',
      ].join('\n'),
    );
  });

  it('keeps going after a leave without an enter', () => {
    const roots: CallNode[] = [];
    const recorder = new CallGraphRecorder({ nowNs: 0 }, (root) => roots.push(root));
    recorder.leave();
    recorder.enter('handleIo');
    recorder.leave();
    expect(roots.map((root) => root.name)).toEqual(['handle_io']);
  });
});
