/**
 * Random paging structures against a naive walker that shares nothing with the emulator (BigInt entries, the manual's tables
 * row by row), and random accesses with the TLB against the same without.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readLinear, readSystem, writeLinear } from '../../src/cpu/access.ts';
import { invalidatePage, setCr0, setCr3 } from '../../src/cpu/control-registers.ts';
import { Cpu, FAULT_NONE } from '../../src/cpu/cpu.ts';
import { GuestMemory } from '../../src/cpu/memory.ts';
import { ACCESS_FETCH, ACCESS_READ, ACCESS_WRITE, translate } from '../../src/cpu/translate.ts';
import { SEG_SS } from '../../src/decoder/insn.ts';
import { type Access, type Mode, naiveWalk } from './naive-walk.ts';

const RUNS = Number(process.env.PIO86_FUZZ_RUNS ?? 300);
const RAM_BYTES = 0x1_0000;
const FRAMES = RAM_BYTES / 0x1000;

const mode = fc.record({
  isPae: fc.boolean(),
  pse: fc.boolean(),
  wp: fc.boolean(),
  nxe: fc.boolean(),
  pge: fc.boolean(),
});

/** An entry: mostly present, a frame within RAM or a little outside, random flags, now and then a reserved bit. */
const entry = fc
  .record({
    frame: fc.nat({ max: FRAMES }),
    flags: fc.nat({ max: 0xfff }),
    present: fc.integer({ min: 0, max: 7 }),
    stray: fc.oneof(
      { weight: 9, arbitrary: fc.constant(-1) },
      { weight: 3, arbitrary: fc.constant(63) },
      { weight: 1, arbitrary: fc.integer({ min: 12, max: 63 }) },
    ),
  })
  .map(({ frame, flags, present, stray }) => {
    const low = BigInt(frame * 0x1000) | BigInt(flags & ~1) | (present === 0 ? 0n : 1n);
    return stray < 0 ? low : low | (1n << BigInt(stray));
  });

/** A linear address that reaches few entries. */
const linear = fc
  .record({
    top: fc.nat({ max: 3 }),
    dir: fc.nat({ max: 3 }),
    table: fc.nat({ max: 3 }),
    off: fc.nat({ max: 0xfff }),
  })
  .map(({ top, dir, table, off }) => ((top << 30) | (dir << 21) | (table << 12) | off) >>> 0);

const access = fc.record({
  linear,
  kind: fc.constantFrom<Access['kind']>('read', 'write', 'fetch'),
  isUser: fc.boolean(),
});

const ACCESS = { read: ACCESS_READ, write: ACCESS_WRITE, fetch: ACCESS_FETCH };

function machine(m: Mode): Cpu {
  const memory = new GuestMemory();
  memory.addSlot(0, 0, new Uint8Array(RAM_BYTES), false);
  const cpu = new Cpu(memory);
  set(cpu, m);
  return cpu;
}

function set(cpu: Cpu, m: Mode): void {
  cpu.cr0 = 0x8000_0011 | (m.wp ? 0x1_0000 : 0) | 0;
  cpu.cr3 = 0;
  cpu.cr4 = (m.isPae ? 0x20 : 0) | (m.pse ? 0x10 : 0) | (m.pge ? 0x80 : 0);
  cpu.efer = m.nxe ? 0x800 : 0;
  cpu.flushTlb();
}

describe('a page walk', () => {
  it('does what the manual says, in every mode', () => {
    const cpu = machine({ isPae: false, pse: false, wp: false, nxe: false, pge: false });
    const { ram, view } = cpu.mem;
    fc.assert(
      fc.property(
        mode,
        fc.array(entry, { minLength: 64, maxLength: 64 }),
        fc.array(access, { maxLength: 12 }),
        (m, entries, list) => {
          ram.fill(0);
          set(cpu, m);
          // Every frame begins with entries; PAE: the first four are the directory pointers, taken as they are.
          for (const [i, value] of entries.entries()) {
            const at = (i >> 2) * 0x1000;
            if (m.isPae) view.setBigUint64(at + (i & 3) * 8, value, true);
            else view.setUint32(at + (i & 3) * 4, Number(value & 0xffff_ffffn), true);
          }
          if (m.isPae) {
            for (let i = 0; i < 4; i++) view.setBigUint64(i * 8, entries[i] & 0xf001n, true);
            for (let i = 0; i < 8; i++) cpu.pdptes[i] = view.getInt32(i * 4, true);
          }
          for (const one of list) {
            // Directory index bits differ: 32-bit paging takes bit 21 as part of the table index.
            cpu.flushTlb();
            cpu.fault = FAULT_NONE;
            const model = ram.slice();
            const want = naiveWalk(model, m, one);
            const tlb = one.isUser ? cpu.tlbs.user : cpu.tlbs.supervisor;
            const page = translate(cpu, tlb, one.linear | 0, ACCESS[one.kind]);
            const got = page >= 0 ? { page } : { error: cpu.faultErrorCode };
            expect(got).toEqual(want);
            if (page < 0) expect(cpu.faultAddress >>> 0).toBe(one.linear);
            expect(Buffer.compare(ram, model)).toBe(0);
            // A directory in the pointer table's own frame: the registers do not follow memory, the model must not either.
            if (m.isPae) for (let i = 0; i < 8; i++) view.setInt32(i * 4, cpu.pdptes[i], true);
          }
        },
      ),
      { numRuns: RUNS },
    );
  });
});

describe('an access across two pages', () => {
  it('is two walks: the first that refuses says so, with its own address, and nothing is read or written', () => {
    const cpu = machine({ isPae: false, pse: false, wp: false, nxe: false, pge: false });
    const { ram, view } = cpu.mem;
    const seen = new Set<string>();
    const crossing = fc.record({
      first: fc.nat({ max: 2 }),
      size: fc.constantFrom(2, 4),
      inFirst: fc.integer({ min: 1, max: 3 }),
      isWrite: fc.boolean(),
      isUser: fc.boolean(),
      value: fc.integer(),
    });
    const flags = fc.array(
      fc.nat({ max: 7 }).map((n) => (n < 5 ? 7 : n)),
      { minLength: 4, maxLength: 4 },
    );
    fc.assert(
      fc.property(mode, flags, fc.array(crossing, { maxLength: 8 }), ({ wp }, pages, list) => {
        const m = { isPae: false, pse: false, wp, nxe: false, pge: false };
        ram.fill(0);
        set(cpu, m);
        view.setUint32(0, 0x1007, true);
        // Linear pages 0–3 lead to frames 9, 7, 5, 3.
        for (const [i, bits] of pages.entries())
          view.setUint32(0x1000 + 4 * i, ((9 - 2 * i) << 12) | bits, true);
        for (let at = 0x2000; at < RAM_BYTES; at += 4) view.setUint32(at, Math.imul(at, 0x9e37_79b1), true);
        for (const { first, size, inFirst, isWrite, isUser, value } of list) {
          const head = Math.min(inFirst, size - 1);
          const linear = (first + 1) * 0x1000 - head;
          const model = ram.slice();
          const kind = isWrite ? 'write' : 'read';
          const parts = [linear, (first + 1) * 0x1000].map((at) => ({ linear: at, kind, isUser }) as const);
          const walks: ReturnType<typeof naiveWalk>[] = [];
          for (const part of parts) {
            const walked = naiveWalk(model, m, part);
            walks.push(walked);
            if ('error' in walked) break;
          }
          cpu.fault = FAULT_NONE;
          cpu.setSegment(SEG_SS, 0, 0, 0xffff_ffff, isUser ? 0xc0f3 : 0xc093);
          const got = isWrite ? writeLinear(cpu, linear, size, value) : readLinear(cpu, linear, size);
          const last = walks[walks.length - 1];
          seen.add(`${kind} ${walks.length} ${'error' in last}`);
          if ('error' in last) {
            expect([cpu.faultErrorCode, cpu.faultAddress >>> 0]).toEqual([
              last.error,
              parts[walks.length - 1].linear,
            ]);
          } else {
            let wanted = 0;
            for (let i = 0; i < size; i++) {
              const [low, high] = walks as { page: number }[];
              const at = i < head ? low.page * 0x1000 + 0x1000 - head + i : high.page * 0x1000 + i - head;
              if (isWrite) model[at] = value >>> (8 * i);
              wanted += model[at] * 2 ** (8 * i);
            }
            if (!isWrite) expect(got).toBe(wanted);
            expect(cpu.fault).toBe(FAULT_NONE);
          }
          expect(Buffer.compare(ram, model)).toBe(0);
        }
      }),
      { numRuns: RUNS },
    );
    expect(seen.size).toBe(6);
  });
});

type Step =
  | { readonly do: 'access'; readonly access: Access; readonly value: number }
  | {
      readonly do: 'entry';
      readonly dir: number;
      readonly table: number;
      readonly flags: number;
      readonly frame: number;
    }
  | { readonly do: 'wp' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('access' as const),
      access: fc.record({
        linear: fc
          .record({
            dir: fc.nat({ max: 2 }),
            table: fc.nat({ max: 2 }),
            off: fc.constantFrom(0, 5, 0xffd, 0xfff),
          })
          .map(({ dir, table, off }) => (dir << 22) | (table << 12) | off),
        kind: fc.constantFrom<Access['kind']>('read', 'write', 'fetch'),
        isUser: fc.boolean(),
      }),
      value: fc.integer(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('entry' as const),
      dir: fc.nat({ max: 2 }),
      table: fc.nat({ max: 2 }),
      flags: fc.nat({ max: 0x1ff }).map((flags) => flags & ~0x80),
      frame: fc.integer({ min: 8, max: FRAMES }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'wp' as const }) },
);

/** One processor runs the steps; `forget` makes it a processor without a TLB. */
function apply(cpu: Cpu, one: Step, forget: boolean): unknown {
  if (forget) cpu.flushTlb();
  cpu.fault = FAULT_NONE;
  if (one.do === 'wp') return setCr0(cpu, cpu.cr0 ^ 0x1_0000);
  if (one.do === 'entry') {
    // Tables at frames 1, 2, 3. A global entry needs INVLPG, the others get a load of CR3.
    const at = (one.dir + 1) * 0x1000 + one.table * 4;
    const old = cpu.mem.view.getUint32(at, true);
    cpu.mem.view.setUint32(at, one.frame * 0x1000 + one.flags, true);
    if ((old & 0x100) === 0) return setCr3(cpu, 0);
    invalidatePage(cpu, (one.dir << 22) | (one.table << 12));
    return true;
  }
  const { access: a, value } = one;
  cpu.setSegment(SEG_SS, 0, 0, 0xffff_ffff, a.isUser ? 0xc0f3 : 0xc093);
  let got = 0;
  if (a.kind === 'write') writeLinear(cpu, a.linear, 4, value);
  else got = a.kind === 'read' ? readLinear(cpu, a.linear, 4) : readSystem(cpu, a.linear, 2);
  return [got, cpu.fault, cpu.fault === FAULT_NONE ? 0 : [cpu.faultErrorCode, cpu.faultAddress]];
}

describe('the TLB', () => {
  it('shows only in speed: same results, same memory, same accessed and dirty flags', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), fc.boolean(), (steps, pge) => {
        const m = { isPae: false, pse: false, wp: true, nxe: false, pge };
        const pair = [machine(m), machine(m)];
        for (const cpu of pair) {
          for (let dir = 0; dir < 3; dir++) {
            cpu.mem.view.setUint32(dir * 4, (dir + 1) * 0x1000 + 7, true);
            for (let table = 0; table < 3; table++)
              cpu.mem.view.setUint32(
                (dir + 1) * 0x1000 + table * 4,
                (8 + dir * 2 + table) * 0x1000 + 7,
                true,
              );
          }
        }
        for (const one of steps) expect(apply(pair[0], one, false)).toEqual(apply(pair[1], one, true));
        expect(Buffer.compare(pair[0].mem.ram, pair[1].mem.ram)).toBe(0);
      }),
      { numRuns: Math.ceil(RUNS / 3) },
    );
  });
});
