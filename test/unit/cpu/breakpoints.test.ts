/** DR0–DR7: instruction, data and I/O breakpoints, RF, general detect, INT1 and INT3. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { IoIntercept } from '../../../src/cpu/cpu.ts';
import { DR6_ACTIVE_LOW, DR6_BD, DR6_BS } from '../../../src/cpu/debug-state.ts';
import { deliverInterrupt } from '../../../src/cpu/interrupts.ts';
import {
  BP_VECTOR,
  DB_VECTOR,
  X86_CR4_DE,
  X86_EFLAGS_IF,
  X86_EFLAGS_RF,
  X86_EFLAGS_TF,
} from '../../../src/cpu/registers.ts';
import { TLB_WATCHED } from '../../../src/cpu/tlb.ts';
import {
  EXIT_REASON_EXCEPTION_NMI,
  EXIT_REASON_HLT,
  EXIT_REASON_IO_INSTRUCTION,
  EXIT_REASON_PREEMPTION_TIMER,
} from '../../../src/uapi/vmx.ts';
import { type StateIn, TestCpu } from './driver.ts';

const CODE = 0x10000;
const DATA = 0x20000;
const EXTRA = 0x30000;
const STACK = 0x40000;

/** R/W and LEN of breakpoint `n` as DR7 has them, and its G bit. */
const enable = (n: number, type: number, length = 1): number =>
  (2 << (2 * n)) | (type << (16 + 4 * n)) | ([0, 0, 1, 0, 3][length] << (18 + 4 * n));
const EXECUTE = 0;
const WRITE = 1;
const IO = 2;
const ACCESS = 3;

interface Break {
  readonly at: number;
  readonly type: number;
  readonly length?: number;
}

/** Arms DR0 … DR3. */
function arm(test: TestCpu, ...breaks: Break[]): TestCpu {
  const { cpu } = test;
  cpu.dr[7] = 0x400;
  breaks.forEach(({ at, type, length }, n) => {
    cpu.dr[n] = at;
    cpu.dr[7] |= enable(n, type, length);
  });
  cpu.debug.update(cpu);
  return test;
}

interface Trap {
  readonly ip: number;
  /** DR6 without its fixed bits. */
  readonly dr6: number;
}

/**
 * Runs `code` to its HLT; the #DB handler only returns, with RF in EFLAGS when `resume` says so.
 *
 * @returns frame and DR6 of each #DB.
 */
function trapsOf(
  code: string,
  breaks: Break[],
  state: StateIn = {},
  prepare = (_: TestCpu): void => {},
): Trap[] {
  const test = new TestCpu().reset(state).poke('eip', `${code} f4`).poke(0x501, 'cf');
  arm(test, ...breaks);
  prepare(test);
  const traps: Trap[] = [];
  for (let i = 0; i < 300; i++) {
    const at = `${test.cpu.segSelector[1]}:${test.cpu.eip}`;
    const reason = test.run(1);
    const isNew = test.vector === DB_VECTOR && at !== `${test.cpu.segSelector[1]}:${test.cpu.eip}`;
    if (isNew) {
      traps.push({ ip: test.frame.ip, dr6: test.cpu.dr[6] & ~DR6_ACTIVE_LOW });
      // A 16-bit IRET cannot bring RF back: an instruction breakpoint is disarmed instead.
      if ((test.cpu.debug.armed & 1) !== 0) {
        test.cpu.dr[7] = 0x400;
        test.cpu.debug.update(test.cpu);
      }
    }
    if (reason === EXIT_REASON_HLT) return traps;
  }
  throw new Error('no HLT');
}

describe('instruction breakpoints', () => {
  it.each<[string, string, Break[], StateIn, Trap[]]>([
    [
      'stops before the instruction',
      '90 90 90',
      [{ at: CODE + 0x101, type: EXECUTE }],
      {},
      [{ ip: 0x101, dr6: 1 }],
    ],
    [
      'tells which',
      '90 40 90',
      [
        { at: 5, type: EXECUTE },
        { at: CODE + 0x102, type: EXECUTE },
      ],
      {},
      [{ ip: 0x102, dr6: 2 }],
    ],
    [
      'sets a bit for each of two at one place',
      '90 90',
      [
        { at: CODE + 0x101, type: EXECUTE },
        { at: CODE + 0x101, type: EXECUTE },
      ],
      {},
      [{ ip: 0x101, dr6: 3 }],
    ],
    ['only counts at the first byte', 'b8 01 00 90', [{ at: CODE + 0x101, type: EXECUTE }], {}, []],
    [
      'goes before the fault of the instruction',
      '0f 0b',
      [{ at: CODE + 0x100, type: EXECUTE }],
      { eip: 0x100 },
      [{ ip: 0x100, dr6: 1 }],
    ],
    [
      'stops a jump target',
      'eb 01 90 90',
      [{ at: CODE + 0x103, type: EXECUTE }],
      {},
      [{ ip: 0x103, dr6: 1 }],
    ],
    [
      'stops once before a REP',
      'f3 aa 90',
      [{ at: CODE + 0x100, type: EXECUTE }],
      { ecx: 5 },
      [{ ip: 0x100, dr6: 1 }],
    ],
    [
      'is not there for the instruction behind MOV SS',
      '8e d0 90 90',
      [{ at: CODE + 0x102, type: EXECUTE }],
      { eax: 0x4000 },
      [],
    ],
    [
      'is not there when RF is set',
      '90 90',
      [{ at: CODE + 0x100, type: EXECUTE }],
      { eflags: X86_EFLAGS_RF | 2 },
      [],
    ],
  ])('%s', (_, code, breaks, state, traps) => {
    const ud = (test: TestCpu): void => {
      test.poke(0x506, 'f4');
    };
    expect(trapsOf(code, breaks, state, ud)).toEqual(traps);
  });

  it('clears RF after one instruction: a loop comes back and stops', () => {
    const test = new TestCpu().reset({ eflags: X86_EFLAGS_RF | 2 }).poke('eip', '90 eb fd');
    arm(test, { at: CODE + 0x100, type: EXECUTE });
    test.run(10);
    expect(test.vector).toBe(DB_VECTOR);
    expect(test.frame).toMatchObject({ ip: 0x100, flags: 2 });
    expect(test.cpu.retired).toBeLessThan(10);
  });

  it('stops code that ran before it was armed, in the middle of its page', () => {
    const test = new TestCpu().reset({}).poke('eip', '40 41 42 eb fb');
    test.run(40);
    arm(test, { at: CODE + 0x101, type: EXECUTE });
    test.run(40);
    expect(test.vector).toBe(DB_VECTOR);
    expect(test.frame.ip).toBe(0x101);
  });

  it('does not count twice for a REP whose budget ends in the middle', () => {
    const test = new TestCpu().reset({ ecx: 8, eflags: X86_EFLAGS_RF | 2 }).poke('eip', 'f3 aa f4');
    arm(test, { at: CODE + 0x100, type: EXECUTE });
    let reason = 0;
    for (let i = 0; i < 20 && reason !== EXIT_REASON_HLT; i++) reason = test.run(1);
    expect([reason, test.vector, test.state.ecx]).toEqual([EXIT_REASON_HLT, null, 0]);
  });

  it('is enabled by L or G', () => {
    for (const bits of [1, 2, 3]) {
      const test = new TestCpu().reset({}).poke('eip', '90');
      test.cpu.dr[0] = CODE + 0x100;
      test.cpu.dr[7] = 0x400 | bits;
      test.cpu.debug.update(test.cpu);
      test.run(1);
      expect(test.vector).toBe(DB_VECTOR);
    }
  });
});

describe('data breakpoints', () => {
  const b = (at: number, type: number, length = 1): Break[] => [{ at, type, length }];
  it.each<[string, string, Break[], StateIn, Trap[]]>([
    ['traps behind a store', '88 07 90', b(DATA + 0x10, WRITE), { ebx: 0x10 }, [{ ip: 0x102, dr6: 1 }]],
    [
      'traps behind a hot store and before the next hot instruction',
      '89 07 40 41',
      b(DATA + 0x10, WRITE),
      { ebx: 0x10 },
      [{ ip: 0x102, dr6: 1 }],
    ],
    ['does not trap a load with R/W = 01', '8a 07 90', b(DATA + 0x10, WRITE), { ebx: 0x10 }, []],
    [
      'traps a load with R/W = 11',
      '8a 07 90',
      b(DATA + 0x10, ACCESS),
      { ebx: 0x10 },
      [{ ip: 0x102, dr6: 1 }],
    ],
    [
      'traps a store with R/W = 11',
      '88 07 90',
      b(DATA + 0x10, ACCESS),
      { ebx: 0x10 },
      [{ ip: 0x102, dr6: 1 }],
    ],
    ['does not trap the byte beside it', '88 07 90', b(DATA + 0x11, WRITE), { ebx: 0x10 }, []],
    [
      'traps an access that only touches it',
      '66 89 07',
      b(DATA + 0x13, WRITE),
      { ebx: 0x10 },
      [{ ip: 0x103, dr6: 1 }],
    ],
    [
      'ignores address bits below the length',
      '88 07',
      b(DATA + 0x13, WRITE, 4),
      { ebx: 0x10 },
      [{ ip: 0x102, dr6: 1 }],
    ],
    [
      'covers 2 bytes with LEN = 01',
      '88 07',
      b(DATA + 0x11, WRITE, 2),
      { ebx: 0x10 },
      [{ ip: 0x102, dr6: 1 }],
    ],
    [
      'tells two at once',
      '89 07',
      [...b(DATA + 0x10, WRITE), ...b(DATA + 0x11, ACCESS)],
      { ebx: 0x10 },
      [{ ip: 0x102, dr6: 3 }],
    ],
    ['traps a push', '50 90', b(STACK + 0xffe, WRITE, 2), {}, [{ ip: 0x101, dr6: 1 }]],
    ['traps a call at its target', 'e8 01 00 90 90', b(STACK + 0xffe, WRITE, 2), {}, [{ ip: 0x104, dr6: 1 }]],
    [
      'traps a read-modify-write once',
      '00 07 90',
      b(DATA + 0x10, ACCESS),
      { ebx: 0x10 },
      [{ ip: 0x102, dr6: 1 }],
    ],
    ['traps MOVS behind both of its accesses', 'a4 90', b(EXTRA + 0x40, WRITE), {}, [{ ip: 0x101, dr6: 1 }]],
    [
      'traps REP STOSB after the iteration',
      'f3 aa 90',
      b(EXTRA + 0x41, WRITE),
      { ecx: 3 },
      [{ ip: 0x100, dr6: 1 }],
    ],
    [
      'traps the last iteration of REP STOSB behind it',
      'f3 aa 90',
      b(EXTRA + 0x42, WRITE),
      { ecx: 3 },
      [{ ip: 0x102, dr6: 1 }],
    ],
    [
      'traps each iteration that meets it',
      'f3 ae 90',
      b(EXTRA + 0x40, ACCESS, 2),
      { ecx: 4, eax: 0 },
      [
        { ip: 0x100, dr6: 1 },
        { ip: 0x100, dr6: 1 },
      ],
    ],
    [
      'is one #DB with the single step',
      '88 07 90',
      b(DATA + 0x10, WRITE),
      { ebx: 0x10, eflags: X86_EFLAGS_TF },
      [
        { ip: 0x102, dr6: 1 | DR6_BS },
        { ip: 0x103, dr6: DR6_BS },
      ],
    ],
    [
      'of MOV SS waits for the next instruction',
      '8e 17 90 90',
      b(DATA + 0x10, ACCESS, 2),
      { ebx: 0x10 },
      [{ ip: 0x103, dr6: 1 }],
    ],
    ['does not count for an instruction that faults', 'f6 37 90', b(DATA + 0x10, ACCESS), { ebx: 0x10 }, []],
  ])('%s', (_, code, breaks, state, traps) => {
    const prepare = (test: TestCpu): void => {
      test.poke(0x500, 'f4');
      if (code === '8e 17 90 90') test.poke(DATA + 0x10, '00 40');
    };
    expect(trapsOf(code, breaks, state, prepare)).toEqual(traps);
  });

  it('lets the store happen first', () => {
    const test = new TestCpu().reset({ ebx: 0x10, eax: 0x5a }).poke('eip', '88 07');
    arm(test, { at: DATA + 0x10, type: WRITE });
    test.run(5);
    expect(test.vector).toBe(DB_VECTOR);
    expect(test.peek('ds:10', 1)).toBe('5a');
  });

  it('takes the same ticks however the budget is cut', () => {
    const run = (slice: number): number => {
      const test = new TestCpu()
        .reset({ ebx: 0x10 })
        .poke('eip', '40 88 07 41 42 88 07 43 f4')
        .poke(0x501, 'cf');
      arm(test, { at: DATA + 0x10, type: WRITE });
      let ticks = 0;
      for (;;) {
        const reason = test.run(slice);
        ticks += test.cpu.retired;
        if (reason === EXIT_REASON_HLT) return ticks;
      }
    };
    expect([1, 2, 3, 5].map(run)).toEqual(Array(4).fill(run(1000)));
  });

  it('traps what the delivery of an event stores', () => {
    const test = new TestCpu().reset({}).poke('eip', 'cd 21').poke(0x521, '90 90');
    arm(test, { at: STACK + 0xffa, type: WRITE, length: 2 });
    test.run(1);
    expect(test.vector).toBe(DB_VECTOR);
    expect(test.frame).toMatchObject({ ip: 0x21, cs: 0x50 });
  });

  it('goes through a closed A20 gate', () => {
    const test = new TestCpu().reset({ ebx: 0x10 }).poke('eip', '88 07');
    test.cpu.segBase[3] = 0x10_0000;
    test.cpu.a20Mask = ~0x10_0000;
    arm(test, { at: 0x10_0010, type: WRITE });
    test.run(5);
    expect(test.vector).toBe(DB_VECTOR);
  });

  it('leaves no page slow behind', () => {
    const test = new TestCpu().reset({ ebx: 0x10 }).poke('eip', 'eb fe');
    const isWatched = (): boolean => {
      // mov [bx],al fills the TLB.
      test.set({ eip: 0x200 }).poke('eip', '88 07');
      test.run(1);
      return (test.cpu.tlb[DATA >> 12] & TLB_WATCHED) !== 0;
    };
    arm(test, { at: DATA, type: WRITE }, { at: DATA + 8, type: ACCESS });
    expect(isWatched()).toBe(true);
    arm(test, { at: DATA, type: EXECUTE });
    expect(isWatched()).toBe(false);
    arm(test, { at: DATA, type: WRITE });
    expect(isWatched()).toBe(true);
    test.cpu.reset();
    expect([test.cpu.tlb[DATA >> 12] & TLB_WATCHED, test.cpu.debug.armed]).toEqual([0, 0]);
  });

  it('is the linear page’s: another one that leads to the same memory is not watched', () => {
    const test = new TestCpu().reset({ ebx: 0x10 }).poke('eip', '88 07');
    test.cpu.cr3 = 0x8_0000;
    // One 4 KiB table that maps linear page n to itself, and page 21H to page 20H.
    for (let page = 0; page < 0x100; page++) {
      const to = page === 0x21 ? 0x20 : page;
      test.memory.view.setUint32(0x8_1000 + 4 * page, (to << 12) | 7, true);
    }
    test.memory.view.setUint32(0x8_0000, 0x8_1007, true);
    test.set({ cr0: 0x8000_0011 });
    for (let seg = 0; seg < 6; seg++) test.cpu.updateSegBound(seg);
    test.cpu.tlbs.flush(false);
    arm(test, { at: 0x2_1010, type: WRITE });
    test.run(1);
    expect(test.cpu.pendingDebugTrap | test.cpu.debug.hits).toBe(0);
    expect(test.cpu.tlb[0x21]).toBe(0);
    test.cpu.segBase[3] = 0x2_1000;
    test.set({ eip: 0x100 });
    test.cpu.exceptionBitmap = 1 << DB_VECTOR;
    expect(test.run(1)).toBe(EXIT_REASON_EXCEPTION_NMI);
    expect(test.cpu.exitQualification).toBe(1);
  });

  it('meets exactly the accesses that overlap it, and changes nothing else', () => {
    const operand = fc.record({
      size: fc.constantFrom(1, 2, 4),
      at: fc.integer({ min: 0, max: 12 }),
      store: fc.boolean(),
      breakAt: fc.integer({ min: 0, max: 12 }),
      length: fc.constantFrom(1, 2, 4),
      type: fc.constantFrom(WRITE, ACCESS),
    });
    const armed = new TestCpu();
    const plain = new TestCpu();
    fc.assert(
      fc.property(operand, ({ size, at, store, breakAt, length, type }) => {
        const opcode = (store ? 0x88 : 0x8a) + (size === 1 ? 0 : 1);
        const code = `${size === 4 ? '66 ' : ''}${opcode.toString(16)} 07 90`;
        const state = { ebx: 0x100 + at, eax: 0x1234_5678 };
        for (const test of [armed, plain])
          test.reset(state).poke('eip', code).poke('ds:100', '01 02 03 04 05 06 07 08 09');
        arm(armed, { at: DATA + 0x100 + breakAt, type, length });
        armed.run(1);
        plain.run(1);
        const from = breakAt & -length;
        const meets = (store || type === ACCESS) && at < from + length && from < at + size;
        expect(armed.vector).toBe(meets ? DB_VECTOR : null);
        expect(armed.state.eax).toBe(plain.state.eax);
        expect(armed.peek('ds:100', 16)).toBe(plain.peek('ds:100', 16));
      }),
    );
  });
});

describe('I/O breakpoints of port accesses that do not exit', () => {
  const silent: IoIntercept = { exits: () => false, read: () => 0x5a, write() {} };
  const io = (at: number, length = 1): Break[] => [{ at, type: IO, length }];
  it.each<[string, string, Break[], StateIn, Trap[]]>([
    ['traps behind OUT', 'e6 60 90', io(0x60), {}, [{ ip: 0x102, dr6: 1 }]],
    ['traps behind IN', 'e4 60 90', io(0x60), {}, [{ ip: 0x102, dr6: 1 }]],
    ['traps a word that only touches it', 'e7 5f 90', io(0x60), {}, [{ ip: 0x102, dr6: 1 }]],
    ['covers an aligned range', 'e6 63 90', io(0x61, 4), {}, [{ ip: 0x102, dr6: 1 }]],
    ['does not trap the next port', 'e6 61 90', io(0x60), {}, []],
    ['traps OUTSB', '6e 90', io(0x60), { edx: 0x60 }, [{ ip: 0x101, dr6: 1 }]],
    [
      'traps each iteration of REP OUTSB',
      'f3 6e 90',
      io(0x60),
      { edx: 0x60, ecx: 2 },
      [
        { ip: 0x100, dr6: 1 },
        { ip: 0x102, dr6: 1 },
      ],
    ],
    [
      'traps each iteration of REP INSB',
      'f3 6c 90',
      io(0x60),
      { edx: 0x60, ecx: 2 },
      [
        { ip: 0x100, dr6: 1 },
        { ip: 0x102, dr6: 1 },
      ],
    ],
    [
      'and data breakpoints, for INS',
      '6c 90',
      [...io(0x61), { at: EXTRA + 0x40, type: WRITE }],
      { edx: 0x60 },
      [{ ip: 0x101, dr6: 2 }],
    ],
    ['does not trap REP OUTSB with count 0', 'f3 6e 90', io(0x60), { edx: 0x60, ecx: 0 }, []],
  ])('%s', (_, code, breaks, state, traps) => {
    const prepare = (test: TestCpu): void => {
      test.cpu.ioIntercept = silent;
      test.cpu.cr4 |= X86_CR4_DE;
    };
    expect(trapsOf(code, breaks, state, prepare)).toEqual(traps);
  });

  it('mean nothing without CR4.DE', () => {
    const prepare = (test: TestCpu): void => {
      test.cpu.ioIntercept = silent;
    };
    expect(trapsOf('e6 60 90', io(0x60), {}, prepare)).toEqual([]);
  });

  it('do not keep an access from exiting', () => {
    const test = new TestCpu().reset({}).poke('eip', 'e6 60');
    test.cpu.cr4 |= X86_CR4_DE;
    arm(test, { at: 0x60, type: IO });
    expect(test.run(5)).toBe(EXIT_REASON_IO_INSTRUCTION);
    expect(test.cpu.pendingDebugTrap).toBe(0);
  });
});

describe('MOV to and from debug registers', () => {
  it('arms a breakpoint for the very next instruction', () => {
    // mov dr0,eax; mov eax,ebx; mov dr7,eax; nop
    const state = { eax: CODE + 0x10a, ebx: 0x402 };
    const test = new TestCpu().reset(state).poke('eip', '0f 23 c0 66 89 d8 0f 23 f8 40 90');
    test.run(20);
    expect(test.vector).toBe(DB_VECTOR);
    expect([test.frame.ip, test.cpu.dr[7], test.cpu.dr[6]]).toEqual([0x10a, 0x402, DR6_ACTIVE_LOW | 1]);
  });

  it('replaces B0–B3 of DR6 and keeps its other conditions', () => {
    const test = new TestCpu().reset({ ebx: 0x10 }).poke('eip', '88 07');
    arm(test, { at: 0, type: WRITE }, { at: DATA + 0x10, type: WRITE });
    test.cpu.dr[6] = DR6_ACTIVE_LOW | DR6_BD | 0xd;
    test.run(2);
    expect(test.cpu.dr[6]).toBe(DR6_ACTIVE_LOW | DR6_BD | 2);
  });

  it('shows in DR6 only breakpoints that are enabled', () => {
    const test = new TestCpu().reset({ ebx: 0x10 }).poke('eip', '88 07');
    arm(test, { at: DATA + 0x10, type: WRITE }, { at: DATA + 0x10, type: WRITE });
    test.cpu.dr[7] &= ~enable(0, 0);
    test.cpu.debug.update(test.cpu);
    test.run(2);
    expect(test.cpu.dr[6]).toBe(DR6_ACTIVE_LOW | 2);
  });

  it('under DR7.GD raises #DB as a fault, clears GD and says BD', () => {
    const test = new TestCpu().reset({}).poke('eip', '0f 21 f8');
    test.cpu.dr[7] = 0x2400;
    test.cpu.debug.update(test.cpu);
    test.run(1);
    expect(test.vector).toBe(DB_VECTOR);
    expect([test.frame.ip, test.cpu.dr[6], test.cpu.dr[7]]).toEqual([0x100, DR6_ACTIVE_LOW | DR6_BD, 0x400]);
  });
});

describe('INT1 and INT3', () => {
  it('INT1 is #DB with no condition in DR6, EIP behind it', () => {
    const test = new TestCpu().reset({}).poke('eip', 'f1');
    test.cpu.dr[6] = DR6_ACTIVE_LOW | 3;
    test.run(1);
    expect(test.vector).toBe(DB_VECTOR);
    expect([test.frame.ip, test.cpu.dr[6]]).toEqual([0x101, DR6_ACTIVE_LOW]);
  });

  it.each([
    ['f1', DB_VECTOR, 1],
    ['cc', BP_VECTOR, 1],
  ])('%s leaves when the host intercepts it, EIP at the instruction', (code, vector, length) => {
    const test = new TestCpu().reset({ eflags: X86_EFLAGS_RF | X86_EFLAGS_IF }).poke('eip', `90 ${code}`);
    test.cpu.exceptionBitmap = 1 << vector;
    expect(test.run(5)).toBe(EXIT_REASON_EXCEPTION_NMI);
    expect(test.cpu.exitInterruptionInfo & 0xff).toBe(vector);
    expect(test.cpu.exitInstructionLength).toBe(length);
    expect(test.state.eip).toBe(0x101);
    expect(test.vector).toBeNull();
  });

  it('INT 3 and INT 1 with two bytes are software interrupts that nobody intercepts', () => {
    const test = new TestCpu().reset({}).poke('eip', 'cd 03');
    test.cpu.exceptionBitmap = (1 << BP_VECTOR) | (1 << DB_VECTOR);
    test.run(1);
    expect(test.vector).toBe(BP_VECTOR);
  });
});

describe('an event in the middle of a REP', () => {
  /** Flat 32-bit code at 0x1000, vector 20H through an interrupt gate. */
  function flat(): TestCpu {
    const test = new TestCpu().reset({ ecx: 3, edi: 0x3000, esp: 0x8000, cr0: 0x11 });
    const { cpu } = test;
    test.poke(0x800, '00 00 00 00 00 00 00 00 ff ff 00 00 00 9b cf 00 ff ff 00 00 00 93 cf 00');
    test.poke(0x900 + 0x20 * 8, '00 07 08 00 00 8e 00 00').poke(0x1000, 'f3 aa 90 90 90');
    [cpu.gdtBase, cpu.gdtLimit, cpu.idtBase, cpu.idtLimit] = [0x800, 0x17, 0x900, 0x7ff];
    for (let seg = 0; seg < 6; seg++)
      cpu.setSegment(seg, seg === 1 ? 8 : 16, 0, 0xffff_ffff, seg === 1 ? 0xc09b : 0xc093);
    cpu.eip = 0x1000;
    return test;
  }

  it.each([
    ['pushes RF = 1 after an iteration', 2, 0x1000, X86_EFLAGS_RF],
    ['pushes RF = 1 before the pass that finds the count at 0', 3, 0x1000, X86_EFLAGS_RF],
    ['pushes RF = 0 behind the instruction', 4, 0x1002, 0],
  ])('%s', (_, ticks, eip, rf) => {
    const test = flat();
    test.run(ticks);
    expect(test.state.eip).toBe(eip);
    deliverInterrupt(test.cpu, 0x20);
    expect(test.state).toMatchObject({ eip: 0x700, esp: 0x8000 - 12 });
    expect(test.memory.view.getUint32(0x8000 - 4, true) & X86_EFLAGS_RF).toBe(rf);
    expect(test.state.eflags & X86_EFLAGS_RF).toBe(0);
  });

  it('does not set RF for a later event', () => {
    const test = flat();
    test.run(2);
    test.run(3);
    deliverInterrupt(test.cpu, 0x20);
    expect(test.memory.view.getUint32(0x8000 - 4, true) & X86_EFLAGS_RF).toBe(0);
  });
});

describe('a guest whose #DB meets a breakpoint while it is delivered', () => {
  it('uses up its budget like any other', () => {
    const test = new TestCpu().reset({ ebx: 0x10 }).poke('eip', '88 07');
    // Vector 1 of the IVT is watched: each delivery reads it.
    arm(test, { at: DATA + 0x10, type: WRITE }, { at: 4, type: ACCESS, length: 4 });
    expect(test.run(50)).toBe(EXIT_REASON_PREEMPTION_TIMER);
    expect(test.cpu.retired).toBe(50);
    expect(test.cpu.dr[6] & 0xf).toBe(2);
  });
});
