/**
 * The memory operand of a ModRM byte, with SIB and displacement. Intel SDM vol. 2A, “Addressing-Mode Encoding of ModR/M and SIB
 * Bytes”, tables 2-1 to 2-3.
 */
import { next8, next16, next32, nextSigned8 } from './code-reader.ts';
import { REG_ZERO, SEG_DS, SEG_SS } from './insn.ts';
import { raw } from './raw.ts';

/** ModRM bytes from here on name a register (mod = 3). */
export const FIRST_REGISTER_MODRM = 0xc0;

const BX = 3;
const SP = 4;
const BP = 5;
const SI = 6;
const DI = 7;

/** Table 2-1 by ModRM.rm. */
const BASE_16 = [BX, BX, BP, BP, SI, DI, BP, BX];
const INDEX_16 = [SI, DI, SI, DI, REG_ZERO, REG_ZERO, REG_ZERO, REG_ZERO];

/** Values of ModRM.rm and SIB that mean something else than a register. */
const RM_DISP16 = 6;
const RM_SIB = 4;
const RM_DISP32 = 5;
const SIB_NO_INDEX = 4;
const SIB_NO_BASE = 5;

/** @param override the segment of the last segment prefix, or −1. */
function setSegment(override: number): void {
  raw.memSeg = override >= 0 ? override : raw.memBase === SP || raw.memBase === BP ? SEG_SS : SEG_DS;
}

/** Memory at a displacement only. */
export function absoluteAddress(disp: number, override: number): void {
  raw.memBase = REG_ZERO;
  raw.memIndex = REG_ZERO;
  raw.memScale = 0;
  raw.memDisp = disp;
  setSegment(override);
}

function address16(modrm: number, override: number): void {
  const mod = modrm >> 6;
  const rm = modrm & 7;
  if (mod === 0 && rm === RM_DISP16) {
    absoluteAddress(next16(), override);
    return;
  }
  raw.memBase = BASE_16[rm];
  raw.memIndex = INDEX_16[rm];
  raw.memScale = 0;
  raw.memDisp = mod === 0 ? 0 : mod === 1 ? nextSigned8() & 0xffff : next16();
  setSegment(override);
}

function address32(modrm: number, override: number): void {
  const mod = modrm >> 6;
  const rm = modrm & 7;
  raw.memBase = rm;
  raw.memIndex = REG_ZERO;
  raw.memScale = 0;
  let hasDisp32 = mod === 2;
  if (rm === RM_SIB) {
    const sib = next8();
    const index = (sib >> 3) & 7;
    raw.memBase = sib & 7;
    if (index !== SIB_NO_INDEX) raw.memIndex = index;
    raw.memScale = sib >> 6;
    if (mod === 0 && raw.memBase === SIB_NO_BASE) {
      raw.memBase = REG_ZERO;
      hasDisp32 = true;
    }
  } else if (mod === 0 && rm === RM_DISP32) {
    raw.memBase = REG_ZERO;
    hasDisp32 = true;
  }
  raw.memDisp = hasDisp32 ? next32() : mod === 1 ? nextSigned8() : 0;
  setSegment(override);
}

/** Reads what follows `modrm`, whose mod is not 3, and puts the address into {@link raw}. */
export function memoryAddress(modrm: number, override: number): void {
  if (raw.addrMask === -1) address32(modrm, override);
  else address16(modrm, override);
}
