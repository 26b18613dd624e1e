/**
 * A page walk that shares nothing with the emulator: BigInt entries, the manual's tables row by row.
 *
 * Intel SDM vol. 3A, “32-Bit Paging”, “PAE Paging”, “Access Rights”, “Page-Fault Exceptions”, “Accessed and Dirty Flags”.
 */

/** What decides how entries are read. */
export interface Mode {
  readonly isPae: boolean;
  readonly pse: boolean;
  readonly wp: boolean;
  readonly nxe: boolean;
  readonly pge: boolean;
}

/** One access. */
export interface Access {
  readonly linear: number;
  readonly kind: 'read' | 'write' | 'fetch';
  readonly isUser: boolean;
}

/** What the manual says of one access: the page, or the error code. A and D are set in `ram` as they should be. */
export function naiveWalk(
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
