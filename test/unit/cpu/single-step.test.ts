/** TF: one trap after each instruction, and where there is none. */
import { describe, expect, it } from 'vitest';
import type { MmioPort } from '../../../src/cpu/cpu.ts';
import { X86_EFLAGS_IF, X86_EFLAGS_TF, X86_EFLAGS_ZF } from '../../../src/cpu/registers.ts';
import {
  EXIT_REASON_EPT_VIOLATION,
  EXIT_REASON_HLT,
  EXIT_REASON_INTERRUPT_WINDOW,
} from '../../../src/uapi/vmx.ts';
import { RAM_BYTES, type StateIn, TestCpu } from './driver.ts';

const DR6_BS = 1 << 14;
const TF = X86_EFLAGS_TF;

/**
 * Runs `code` with a #DB handler that only returns, to a HLT.
 *
 * @returns the IPs on the frames of #DB.
 */
function trapsOf(code: string, state: StateIn, prepare: (test: TestCpu) => void = () => {}): number[] {
  const test = new TestCpu().reset(state).poke('eip', `${code} f4`).poke(0x501, 'cf');
  prepare(test);
  const traps: number[] = [];
  for (let i = 0; i < 50; i++) {
    const reason = test.run(1);
    if (test.vector === 1) traps.push(test.frame.ip);
    if (reason === EXIT_REASON_HLT) return traps;
  }
  throw new Error('no HLT');
}

describe('the single-step trap', () => {
  it('comes after each instruction, with DR6.BS, TF cleared for the handler and set in the frame', () => {
    const test = new TestCpu().reset({ eflags: TF | X86_EFLAGS_IF }).poke('eip', '90 90');
    test.run(1);
    expect(test.vector).toBe(1);
    expect(test.frame).toEqual({ ip: 0x101, cs: 0x1000, flags: TF | X86_EFLAGS_IF | 2 });
    expect(test.state.eflags).toBe(2);
    expect(test.cpu.dr[6] & DR6_BS).toBe(DR6_BS);
    expect(test.cpu.retired).toBe(1);
  });

  it.each<[string, string, StateIn, number[]]>([
    ['follows straight-line code', '90 40 8b 07', { eflags: TF }, [0x101, 0x102, 0x104]],
    ['follows a jump', 'eb 01 90 90', { eflags: TF }, [0x103, 0x104]],
    ['comes after the instruction behind the POPF that sets TF', '68 02 01 9d 90 90', {}, [0x105, 0x106]],
    ['comes after the POPF that clears TF', '6a 02 9d 90 90', { eflags: TF }, [0x102, 0x103]],
    ['comes after the instruction behind STI', 'fb 90', { eflags: TF }, [0x101, 0x102]],
    [
      'comes once for MOV SS and the instruction behind it',
      '8e d0 90 90',
      { eax: 0x4000, eflags: TF },
      [0x103, 0x104],
    ],
    ['comes after the second MOV SS in a row', '8e d0 8e d0 90', { eax: 0x4000, eflags: TF }, [0x104, 0x105]],
    ['comes after LSS', '0f b2 27 90', { ebx: 0x1000, eflags: TF }, [0x103, 0x104]],
    ['comes after each REP iteration', 'f3 aa 90', { ecx: 3, eflags: TF }, [0x100, 0x100, 0x102, 0x103]],
    ['comes once after a REP with count 0', 'f3 aa 90', { ecx: 0, eflags: TF }, [0x102, 0x103]],
    ['comes after each REPE iteration', 'f3 a6 90', { ecx: 2, eflags: TF }, [0x100, 0x102, 0x103]],
    ['comes once after a REPNE that ends early', 'f2 a6 90', { ecx: 9, eflags: TF }, [0x102, 0x103]],
  ])('%s', (_, code, state, traps) => {
    const prepare = (test: TestCpu): void => {
      test.poke('ds:1000', '00 10 00 40');
    };
    expect(trapsOf(code, state, prepare)).toEqual(traps);
  });

  it('does not come in the handler of INT, and again after its IRET', () => {
    const prepare = (test: TestCpu): void => {
      test.poke(0x521, 'cf');
    };
    // The IRET itself began with TF clear.
    expect(trapsOf('cd 21 90 90', { eflags: TF }, prepare)).toEqual([0x103, 0x104]);
  });

  it('is lost when INT follows MOV SS', () => {
    const test = new TestCpu().reset({ eax: 0x4000, eflags: TF }).poke('eip', '8e d0 cd 21');
    test.run(2);
    expect(test.vector).toBe(0x21);
    test.run(0);
    expect(test.vector).toBe(0x21);
  });

  it('does not come in the handler of a fault', () => {
    const test = new TestCpu().reset({ eax: 0x4000, eflags: TF }).poke('eip', '8e d0 0f 0b');
    test.run(2);
    expect(test.vector).toBe(6);
    expect(test.frame.flags & TF).toBe(TF);
    test.run(0);
    expect(test.vector).toBe(6);
  });

  it('goes before the interrupt window', () => {
    const test = new TestCpu()
      .reset({ eflags: TF | X86_EFLAGS_IF })
      .poke('eip', '90')
      .poke(0x501, '90');
    test.run(0);
    test.cpu.interruptWindowExiting = 1;
    test.cpu.pendingDebugTrap = 1;
    test.run(1);
    expect(test.state).toMatchObject({ cs: 0x50, eip: 2 });
    expect(test.run(0)).not.toBe(EXIT_REASON_INTERRUPT_WINDOW);
  });

  it('comes after the instruction that was run again for MMIO', () => {
    const test = new TestCpu().reset({ eflags: TF }).poke('eip', '26 a0 00 00');
    test.cpu.segBase[0] = RAM_BYTES;
    expect(test.run(1)).toBe(EXIT_REASON_EPT_VIOLATION);
    expect(test.state).toMatchObject({ eip: 0x100, eflags: TF | 2 });
    const port: MmioPort = { mmioRead: () => 0x5a, mmioWrite() {} };
    test.cpu.mmio = port;
    test.run(1);
    expect(test.vector).toBe(1);
    expect(test.frame.ip).toBe(0x104);
    expect(test.state.eax & 0xff).toBe(0x5a);
    expect(test.cpu.mmio).toBe(port);
  });

  it('leaves ZF and the others alone', () => {
    const test = new TestCpu().reset({ eflags: TF | X86_EFLAGS_ZF }).poke('eip', '90');
    test.run(1);
    expect(test.frame.flags).toBe(TF | X86_EFLAGS_ZF | 2);
  });
});
