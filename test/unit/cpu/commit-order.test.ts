/**
 * Every encoding of the operation table, with a fault at each of its memory accesses: with any page that it touches absent,
 * read-only or the supervisor's, it completes as it would have, or it has changed no register and no byte.
 *
 * Nothing here may half-do. The manual lets some: string instructions with REP keep the iterations they have done
 * (vol. 1, “Repeated String Operations”: the registers show the faulting one), ENTER, PUSHA and call gates may have written
 * below the stack pointer, a task switch belongs to the new task from its commit point on (vol. 3A, “Task Switching”).
 * pio86 uses the first and the last licence only.
 */
import { describe, expect, it } from 'vitest';
import { allEncodings, type Encoding } from '../../encode.ts';
import {
  CommitOrderMachine,
  type Fault,
  MODES,
  type Mode,
  type Result,
  type Setup,
  SYSTEM_PAGES,
  type Touched,
} from './commit-order-machine.ts';

const ENCODINGS = allEncodings();
const FAULT_KINDS: readonly Fault[] = ['absent', 'read-only', 'supervisor'];
const CODE_PAGES = [0x10, 0x11];
/** Operands that are only an address, and hints. */
const NO_ACCESS = /^(Lea|Invlpg|Reservednop)$/;

/** All the ways to run an encoding: operand and stack pointer across a page boundary in two ways. */
function setups(encoding: Encoding, mode: Mode): Setup[] {
  const list: Setup[] = [];
  const isSegment = encoding.name.includes('Sreg');
  for (const isMemory of [true, false]) {
    if (encoding.memory === (isMemory ? 'never' : 'always')) continue;
    for (const operand of isMemory ? [0xfff, 0xffc] : [0xfff]) {
      for (const esp of encoding.isStack ? [0x4002, 0x3fff] : [0x4002]) {
        for (const reg of isSegment ? [2, 3] : [2])
          list.push({ mode, encoding, isMemory, operand, esp, reg });
      }
    }
  }
  return list;
}

const textOf = ({ encoding, isMemory, operand, esp, reg }: Setup): string =>
  `${encoding.name}${isMemory ? ` [${operand.toString(16)}]` : ''} esp ${esp.toString(16)} reg ${reg}`;

const isRefused = ({ mustBeCpl0, inV86 }: Encoding, mode: Mode): boolean =>
  (mustBeCpl0 && !mode.endsWith('level 0')) || (!inV86 && mode === 'virtual-8086');

const isSame = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((value, i) => value === b[i]);

/** What must happen to an instruction that, left alone, ended as `good`. */
function complaint(
  mode: Mode,
  good: Result,
  before: Result,
  { page, isWritten }: Touched,
  fault: Fault,
  got: Result,
): string | null {
  const isUser = mode.endsWith('level 3') || mode === 'virtual-8086';
  const isSystem = isUser && SYSTEM_PAGES.includes(page);
  const faults = fault === 'absent' || (fault === 'read-only' ? isWritten : !isSystem);
  const wanted = faults ? before : good;
  if (got.shutdown !== faults) return faults ? 'no fault' : 'a fault';
  if (!isSame(got.state, wanted.state)) return 'registers';
  if (Buffer.compare(got.memory, wanted.memory) !== 0) return 'memory';
  if (!faults) return null;
  if (got.pageFault === null || got.pageFault.page !== page) return 'address';
  const { error } = got.pageFault;
  const write = error & 2;
  if (fault === 'read-only' ? write === 0 : write !== 0 && !isWritten) return 'write bit';
  const others = (fault === 'absent' ? 0 : 1) | (isUser && !isSystem ? 4 : 0);
  return (error & ~2) === others ? null : 'error code';
}

describe.each(MODES)('%s: every encoding', (mode) => {
  const machine = new CommitOrderMachine(mode);
  const used = ENCODINGS.filter((encoding) => !isRefused(encoding, mode));

  it('runs, and touches the memory that its operands say', () => {
    const idle: string[] = [];
    for (const encoding of used) {
      for (const setup of setups(encoding, mode)) {
        const { shutdown, touched } = machine.run(setup);
        const data = touched.filter(({ page }) => !CODE_PAGES.includes(page));
        const wants =
          (setup.isMemory || encoding.isString || encoding.isStack) && !NO_ACCESS.test(encoding.mnemonic);
        if (wants && (shutdown || data.length === 0)) idle.push(textOf(setup));
      }
    }
    expect(idle).toEqual([]);
  });

  it('completes or changes nothing, whichever page faults', () => {
    const wrong: string[] = [];
    let faults = 0;
    const user = mode.endsWith('level 3') || mode === 'virtual-8086';
    const kinds = FAULT_KINDS.filter((kind) => kind !== 'supervisor' || user);
    for (const encoding of used) {
      for (const setup of setups(encoding, mode)) {
        const good = machine.run(setup);
        if (good.shutdown) continue;
        const before = machine.before(setup);
        const isFirst = setup.operand === 0xfff && setup.esp === 0x4002;
        for (const touched of good.touched) {
          if (CODE_PAGES.includes(touched.page) && !isFirst) continue;
          for (const kind of kinds) {
            const got = machine.run(setup, touched.page, kind);
            faults += got.shutdown ? 1 : 0;
            const what = complaint(mode, good, before, touched, kind, got);
            if (what !== null)
              wrong.push(`${textOf(setup)}: page ${touched.page.toString(16)} ${kind}: ${what}`);
          }
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(faults).toBeGreaterThan(2000);
    expect(machine.isUntouchedElsewhere).toBe(true);
  });

  it('keeps the iterations that a repeated string instruction has done, and no part of the next', () => {
    const wrong: string[] = [];
    let between = 0;
    for (const encoding of used.filter(({ isString }) => isString)) {
      for (const rep of [0xf3, 0xf2]) {
        const setup: Setup = { mode, encoding, isMemory: false, operand: 0xfff, esp: 0x4002, reg: 2, rep };
        const before = machine.before(setup);
        const good = [before, ...machine.runRepeated(setup)];
        for (const { page } of good.at(-1)?.touched ?? []) {
          if (CODE_PAGES.includes(page)) continue;
          const got = machine.runRepeated(setup, page).at(-1);
          // The last iteration that has not touched the page; the status flags are those of the start.
          const done = good.filter(({ touched }) => !touched.some((t) => t.page === page)).length - 1;
          const wanted = [before.state[0], ...good[done].state.slice(1)];
          if (!isSame(got?.state ?? [], wanted)) wrong.push(`${encoding.name} ${rep}: registers`);
          if (got?.memory.compare(good[done].memory) !== 0) wrong.push(`${encoding.name} ${rep}: memory`);
          if (got?.pageFault?.page !== page) wrong.push(`${encoding.name} ${rep}: address`);
          between += done > 0 ? 1 : 0;
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(between).toBeGreaterThan(10);
  });
});
