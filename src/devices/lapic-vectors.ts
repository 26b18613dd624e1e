/**
 * 256-bit registers of the local APIC (Linux: arch/x86/include/asm/apic.h, `apic_find_highest_vector` and its
 * neighbours): eight 32-bit registers, 16 bytes apart.
 */

/** Words of the register page from one 32-bit register to the next. */
const STRIDE = 4;

function wordOf(reg: number, vector: number): number {
  return (reg >> 2) + (vector >> 5) * STRIDE;
}

/** @returns whether `vector` is set in the register that starts at offset `reg`. */
export function apicTestVector(regs: Uint32Array, reg: number, vector: number): boolean {
  return ((regs[wordOf(reg, vector)] >>> (vector & 31)) & 1) !== 0;
}

export function apicSetVector(regs: Uint32Array, reg: number, vector: number): void {
  regs[wordOf(reg, vector)] |= 1 << (vector & 31);
}

export function apicClearVector(regs: Uint32Array, reg: number, vector: number): void {
  regs[wordOf(reg, vector)] &= ~(1 << (vector & 31));
}

/** @returns the highest vector that is set, −1 for none. */
export function apicFindHighestVector(regs: Uint32Array, reg: number): number {
  for (let i = 7; i >= 0; i--) {
    const word = regs[(reg >> 2) + i * STRIDE];
    if (word !== 0) return 32 * i + 31 - Math.clz32(word);
  }
  return -1;
}
