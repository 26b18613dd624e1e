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

const RUNS = Number(process.env.PIO86_FUZZ_RUNS ?? 300);
const RAM_BYTES = 0x1_0000;
const FRAMES = RAM_BYTES / 0x1000;

interface Mode {
  readonly isPae: boolean;
  readonly pse: boolean;
  readonly wp: boolean;
  readonly nxe: boolean;
  readonly pge: boolean;
}

interface Access {
  readonly linear: number;
  readonly kind: 'read' | 'write' | 'fetch';
  readonly isUser: boolean;
}

/** What the manual says of one access: the page, or the error code. A and D are set in `ram` as they should be. */
function naiveWalk(
  ram: Uint8Array,
  mode: Mode,
  { linear, kind, isUser }: Access,
): { page: number } | { error: number } {
  const view = new DataView(ram.buffer);
  const width = mode.isPae ? 8 : 4;
  const read = (at: number): bigint => {
    if (at + width > ram.length) return 0n;
    return mode.isPae ? view.getBigUint64(at, true) : BigInt(view.getUint32(at, true));
  };
  const bit = (entry: bigint, n: number): boolean => ((entry >> BigInt(n)) & 1n) === 1n;
  const nx = mode.isPae && mode.nxe;
  const error = (what: number): { error: number } => ({
    error: what | (kind === 'write' ? 2 : 0) | (isUser ? 4 : 0) | (kind === 'fetch' && nx ? 16 : 0),
  });
  const address = linear >>> 0;
  let table = 0;
  if (mode.isPae) {
    const pdpte = read(Math.floor(address / 2 ** 30) * 8);
    if (!bit(pdpte, 0)) return error(0);
    table = Number(pdpte & 0xf_ffff_f000n);
  }
  const shifts = mode.isPae ? [21, 12] : [22, 12];
  const count = mode.isPae ? 512 : 1024;
  const path: [number, bigint][] = [];
  for (const shift of shifts) {
    const at = table + (Math.floor(address / 2 ** shift) % count) * width;
    const entry = read(at);
    if (!bit(entry, 0)) return error(0);
    const isLarge = shift !== 12 && bit(entry, 7) && (mode.isPae || mode.pse);
    let reserved = 0n;
    if (mode.isPae) reserved |= 0x7fff_fff0_0000_0000n | (mode.nxe ? 0n : 1n << 63n);
    if (isLarge) reserved |= mode.isPae ? 0x1f_e000n : 0x3e_0000n;
    if ((entry & reserved) !== 0n) return error(9);
    path.push([at, entry]);
    if (!isLarge && shift !== 12) {
      table = Number(entry & 0xf_ffff_f000n);
      continue;
    }
    const all = path.map(([, e]) => e);
    const writable = all.every((e) => bit(e, 1)) || (!isUser && !mode.wp);
    if (isUser && !all.every((e) => bit(e, 2))) return error(1);
    if (kind === 'write' && !writable) return error(1);
    if (kind === 'fetch' && nx && all.some((e) => bit(e, 63))) return error(1);
    for (const [i, [where]] of path.entries())
      ram[where] |= kind === 'write' && i === path.length - 1 ? 0x60 : 0x20;
    const base = mode.isPae ? entry & 0xf_ffff_f000n : entry & 0xffff_f000n;
    if (!isLarge) return { page: Number(base >> 12n) };
    const inside = Math.floor(address / 0x1000) % (mode.isPae ? 512 : 1024);
    if (mode.isPae) return { page: Number((entry & 0xf_ffe0_0000n) >> 12n) + inside };
    const high = Number((entry >> 13n) & 15n) * 2 ** 20;
    return { page: high + Number((entry & 0xffc0_0000n) >> 12n) + inside };
  }
  throw new Error('unreachable');
}

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
