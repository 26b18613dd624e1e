/**
 * Far JMP and CALL with random descriptors against the manual's checks, written here once more as plain predicates.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CODE,
  CODE0,
  CODE3,
  DATA0,
  type DescriptorIn,
  descriptor,
  FREE,
  gate,
  ProtectedCpu,
  STACK0,
} from './protected-driver.ts';

const TS = 10;
const NP = 11;
const GP = 13;
/** What a gate leads to. */
const TARGET = 0x48;
const OFFSET = 0x500;

/** What should happen: a fault, or CS with its RPL. */
type Outcome = { readonly vector: number; readonly error: number } | { readonly cs: number };

interface Transfer {
  readonly isCall: boolean;
  readonly level: 0 | 3;
  readonly rpl: number;
  /** The descriptor that the instruction names; a gate for types 4 and 12. */
  readonly named: Required<Pick<DescriptorIn, 'type' | 'dpl' | 'present' | 'limit'>>;
  readonly target: Required<Pick<DescriptorIn, 'type' | 'dpl' | 'present' | 'limit'>>;
}

const isCode = (type: number): boolean => type >= 24;
const isConforming = (type: number): boolean => isCode(type) && (type & 4) !== 0;
const isGate = (type: number): boolean => type === 4 || type === 12;

function direct({ level, rpl, named }: Transfer): Outcome {
  const { type, dpl, present, limit } = named;
  const allowed = isConforming(type) ? dpl <= level : rpl <= level && dpl === level;
  if (!allowed) return { vector: GP, error: FREE };
  if (!present) return { vector: NP, error: FREE };
  return limit < OFFSET ? { vector: GP, error: 0 } : { cs: FREE | level };
}

function throughGate({ isCall, level, rpl, named, target }: Transfer): Outcome {
  if (named.dpl < level || named.dpl < rpl) return { vector: GP, error: FREE };
  if (!named.present) return { vector: NP, error: FREE };
  const sameLevelOnly = !isCall && !isConforming(target.type);
  if (!isCode(target.type) || target.dpl > level || (sameLevelOnly && target.dpl !== level)) {
    return { vector: GP, error: TARGET };
  }
  if (!target.present) return { vector: NP, error: TARGET };
  const isInner = isCall && !isConforming(target.type) && target.dpl < level;
  // The TSS names a stack for level 0 only.
  if (isInner && target.dpl !== 0) return { vector: TS, error: 0 };
  if (target.limit < OFFSET) return { vector: GP, error: 0 };
  return { cs: TARGET | (isInner ? target.dpl : level) };
}

function expected(transfer: Transfer): Outcome {
  const { type } = transfer.named;
  if (isCode(type)) return direct(transfer);
  if (isGate(type)) return throughGate(transfer);
  // Data, an LDT, other gates, a busy TSS.
  return { vector: GP, error: FREE };
}

/** All types but an available TSS and a task gate: task-switch.test.ts has those. */
const TYPES = Array.from({ length: 32 }, (_, type) => type).filter((type) => ![1, 5, 9].includes(type));

function entries(types: readonly number[]) {
  return fc.record({
    type: fc.constantFrom(...types),
    dpl: fc.integer({ min: 0, max: 3 }),
    present: fc.oneof(
      { weight: 3, arbitrary: fc.constant(true) },
      { weight: 1, arbitrary: fc.constant(false) },
    ),
    limit: fc.constantFrom(OFFSET - 1, OFFSET, 0xffff_ffff),
  });
}

const transfers: fc.Arbitrary<Transfer> = fc.record({
  isCall: fc.boolean(),
  level: fc.constantFrom<0 | 3>(0, 3),
  rpl: fc.integer({ min: 0, max: 3 }),
  named: fc.oneof(entries(TYPES), entries([4, 12]), entries([26, 30])),
  target: fc.oneof(entries(TYPES), entries([26, 30])),
});

describe('far JMP and CALL', () => {
  it('go where the manual’s checks let them, or fault with its error code and change nothing', () => {
    const machines = { 0: new ProtectedCpu(0), 3: new ProtectedCpu(3) };
    const saved = { 0: machines[0].memory.ram.slice(), 3: machines[3].memory.ram.slice() };
    const segments = { 0: snapshot(machines[0]), 3: snapshot(machines[3]) };
    fc.assert(
      fc.property(transfers, (transfer) => {
        const { level, named, target } = transfer;
        const test = machines[level];
        test.memory.ram.set(saved[level]);
        test.cpu.cache.clear();
        segments[level].forEach((args, seg) => {
          test.cpu.setSegment(seg, ...args);
        });
        test.set({ eip: CODE, esp: 0x2_0000, eflags: 2 });
        test.gdt(FREE, isGate(named.type) ? gate(named.type, TARGET, OFFSET, named) : descriptor(named));
        test.gdt(TARGET, descriptor(target));
        const selector = FREE | transfer.rpl;
        test.exec(`${transfer.isCall ? '9a' : 'ea'} 00 05 00 00 ${selector.toString(16)} 00`);
        const want = expected(transfer);
        if ('vector' in want) {
          expect(test.caught).toEqual({ ...want, cs: level === 0 ? CODE0 : CODE3, eip: CODE });
          expect([test.access(FREE), test.access(TARGET)].map((byte) => byte & 0x7f)).toEqual(
            [named, target].map(({ type, dpl }) => type | (dpl << 5)),
          );
          return;
        }
        expect(test.registers('cs', 'eip')).toEqual({ cs: want.cs, eip: OFFSET });
        const isInner = (want.cs & 3) < level;
        if (isInner) expect(test.get('ss')).toBe(DATA0);
        const width = named.type === 4 ? 2 : 4;
        const top = isInner ? STACK0 - 4 * width : 0x2_0000 - (transfer.isCall ? 2 * width : 0);
        expect(test.get('esp')).toBe(top);
      }),
      { numRuns: 1000 },
    );
  });
});

type SegmentState = [selector: number, base: number, limit: number, attr: number];

function snapshot({ cpu }: ProtectedCpu): SegmentState[] {
  return Array.from({ length: 8 }, (_, seg) => [
    cpu.segSelector[seg],
    cpu.segBase[seg],
    cpu.segLimit[seg],
    cpu.segAttr[seg],
  ]);
}
