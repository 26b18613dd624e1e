/**
 * The opcode maps behind 0F, 0F 38 and 0F 3A, and those of VEX. Intel SDM vol. 2D, appendix A.3, tables, and A.4, table A-6.
 */
import { CONDITION_NAMES, type OpcodeRow, opcodeText } from './opcode-row.ts';

/** The hint NOPs: 0F 0D is AMD's, and on Intel's processors one of them. */
const HINTS = [0x0d, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f].map(opcodeText);
const conditions = (first: number, row: (cc: string) => readonly [string, string]): OpcodeRow[] =>
  CONDITION_NAMES.map((cc, n) => [opcodeText(first + n), ...row(cc)]);

// biome-ignore format: one opcode a line, columns aligned.
export const TWO_BYTE_MAP: readonly OpcodeRow[] = [
  // Most of this map is MMX and SSE; blanks of the manual's table end with their ModRM byte.
  ['00-FF', 'E', ''],
  ['04', 'R', ''],
  ['0A', 'R', ''],
  ['0C', 'R', ''],
  ['24-27', 'R', ''],
  ['36', 'R', ''],
  ['39', 'R', ''],
  ['3B-3F', 'R', ''],
  ['7A-7B', 'R', ''],
  ['A6-A7', 'R', ''],
  ['00 /0', 'Rv/Mw', 'Sldt_{rm16|r32m16}'],
  ['00 /1', 'Rv/Mw', 'Str_{rm16|r32m16}'],
  ['00 /2', 'Rv/Mw', 'Lldt_{rm16|r32m16}'],
  ['00 /3', 'Rv/Mw', 'Ltr_{rm16|r32m16}'],
  ['00 /4', 'Rv/Mw', 'Verr_{rm16|r32m16}'],
  ['00 /5', 'Rv/Mw', 'Verw_{rm16|r32m16}'],
  ['01 /0 mem', 'Ms', 'Sgdt_{m1632_16|m1632}'],
  ['01 /1 mem', 'Ms', 'Sidt_{m1632_16|m1632}'],
  ['01 /2 mem', 'Ms', 'Lgdt_{m1632_16|m1632}'],
  ['01 /3 mem', 'Ms', 'Lidt_{m1632_16|m1632}'],
  ['01 /4', 'Rv/Mw', 'Smsw_{rm16|r32m16}'],
  ['01 /6', 'Rv/Mw', 'Lmsw_{rm16|r32m16}'],
  ['01 /7 mem', 'M', 'Invlpg_m'],
  ['01 /7 rm=1', '', 'Rdtscp'],
  ['02', 'Gv Rv/Mw', 'Lar_{r16_rm16|r32_r32m16}'],
  ['03', 'Gv Rv/Mw', 'Lsl_{r16_rm16|r32_r32m16}'],
  ['05', '', ''],
  ['06', '', 'Clts'],
  ['07', '', ''],
  ['08', '', 'Invd'],
  ['09', '', 'Wbinvd'],
  ['0B', '', ''],
  ['0E', '', ''],
  ['0F', 'E Ib', ''],
  ...HINTS.map((hint): OpcodeRow => [hint, 'Ev Gv', `Reservednop_rm%_r%_0F${hint}`]),
  ['20', 'Rd Cd', 'Mov_r32_cr'],
  ['21', 'Rd Dd', 'Mov_r32_dr'],
  ['22', 'Cd Rd', 'Mov_cr_r32'],
  ['23', 'Dd Rd', 'Mov_dr_r32'],
  ['30', '', 'Wrmsr'],
  ['31', '', 'Rdtsc'],
  ['32', '', 'Rdmsr'],
  ['33', '', 'Rdpmc'],
  ['34', '', 'Sysenter'],
  ['35', '', 'Sysexitd'],
  ['37', '', ''],
  ...conditions(0x40, (cc) => ['Gv Ev', `Cmov${cc}_r%_rm%`]),
  ['50', 'R', ''],
  ['70', 'E Ib', ''],
  ['71-73', 'R Ib', ''],
  ['77', '', ''],
  ...conditions(0x80, (cc) => ['Jz', `J${cc}_{rel16|rel32_32}`]),
  ...conditions(0x90, (cc) => ['Eb', `Set${cc}_rm8`]),
  ['A0', 'FS', 'Push{w|d}_FS'],
  ['A1', 'FS', 'Pop{w|d}_FS'],
  ['A2', '', 'Cpuid'],
  ['A3', 'Ev Gv', 'Bt_rm%_r%'],
  ['A4', 'Ev Gv Ib', 'Shld_rm%_r%_imm8'],
  ['A5', 'Ev Gv CL', 'Shld_rm%_r%_CL'],
  ['A8', 'GS', 'Push{w|d}_GS'],
  ['A9', 'GS', 'Pop{w|d}_GS'],
  ['AA', '', ''],
  ['AB', 'Ev Gv', 'Bts_rm%_r%'],
  ['AC', 'Ev Gv Ib', 'Shrd_rm%_r%_imm8'],
  ['AD', 'Ev Gv CL', 'Shrd_rm%_r%_CL'],
  ['AF', 'Gv Ev', 'Imul_r%_rm%'],
  ['B0', 'Eb Gb', 'Cmpxchg_rm8_r8'],
  ['B1', 'Ev Gv', 'Cmpxchg_rm%_r%'],
  ['B2', 'Gv Mp', 'Lss_r%_m16%'],
  ['B3', 'Ev Gv', 'Btr_rm%_r%'],
  ['B4', 'Gv Mp', 'Lfs_r%_m16%'],
  ['B5', 'Gv Mp', 'Lgs_r%_m16%'],
  ['B6', 'Gv Eb', 'Movzx_r%_rm8'],
  ['B7', 'Gv Ew', 'Movzx_r%_rm16'],
  ['F3 B8', 'Gv Ev', 'Popcnt_r%_rm%'],
  ['BA', 'Ev Ib', ''],
  ['BA /4', 'Ev Ib', 'Bt_rm%_imm8'],
  ['BA /5', 'Ev Ib', 'Bts_rm%_imm8'],
  ['BA /6', 'Ev Ib', 'Btr_rm%_imm8'],
  ['BA /7', 'Ev Ib', 'Btc_rm%_imm8'],
  ['BB', 'Ev Gv', 'Btc_rm%_r%'],
  ['BC', 'Gv Ev', 'Bsf_r%_rm%'],
  ['F3 BC', 'Gv Ev', 'Tzcnt_r%_rm%'],
  ['BD', 'Gv Ev', 'Bsr_r%_rm%'],
  ['F3 BD', 'Gv Ev', 'Lzcnt_r%_rm%'],
  ['BE', 'Gv Eb', 'Movsx_r%_rm8'],
  ['BF', 'Gv Ew', 'Movsx_r%_rm16'],
  ['C0', 'Eb Gb', 'Xadd_rm8_r8'],
  ['C1', 'Ev Gv', 'Xadd_rm%_r%'],
  ['C2', 'E Ib', ''],
  ['C4', 'E Ib', ''],
  ['C5', 'R Ib', ''],
  ['C6', 'E Ib', ''],
  ['C7 /1 mem', 'Mq', 'Cmpxchg8b_m64'],
  ['C8-CF', 'Zv', 'Bswap_r%'],
  ['D7', 'R', ''],
  ['F7', 'R', ''],
];

// biome-ignore format: one opcode a line, columns aligned.
export const MAP_0F38: readonly OpcodeRow[] = [
  ['00-FF', 'E', ''],
  ['NP F0', 'Gv Mv', 'Movbe_r%_m%'],
  ['66 F0', 'Gv Mv', 'Movbe_r%_m%'],
  ['F2 F0', 'Gd Eb', 'Crc32_r32_rm8'],
  ['NP F1', 'Mv Gv', 'Movbe_m%_r%'],
  ['66 F1', 'Mv Gv', 'Movbe_m%_r%'],
  ['F2 F1', 'Gd Ev', 'Crc32_r32_rm%'],
  ['66 F6', 'Gd Ed', 'Adcx_r32_rm32'],
  ['F3 F6', 'Gd Ed', 'Adox_r32_rm32'],
];

/** Of legacy encodings and of VEX. */
export const MAP_0F3A: readonly OpcodeRow[] = [['00-FF', 'E Ib', '']];

/** Behind VEX everything but VZEROUPPER has a ModRM byte. */
export const VEX_0F_MAP: readonly OpcodeRow[] = [
  ['00-FF', 'E', ''],
  ['70-73', 'E Ib', ''],
  ['77', '', ''],
  ['C2', 'E Ib', ''],
  ['C4-C6', 'E Ib', ''],
];

// biome-ignore format: one opcode a line, columns aligned.
export const VEX_0F38_MAP: readonly OpcodeRow[] = [
  ['00-FF', 'E', ''],
  ['NP F2', 'Gd Bd Ed', 'VEX_Andn_r32_r32_rm32'],
  ['NP F3 /1', 'Bd Ed', 'VEX_Blsr_r32_rm32'],
  ['NP F3 /2', 'Bd Ed', 'VEX_Blsmsk_r32_rm32'],
  ['NP F3 /3', 'Bd Ed', 'VEX_Blsi_r32_rm32'],
  ['NP F7', 'Gd Ed Bd', 'VEX_Bextr_r32_rm32_r32'],
];
