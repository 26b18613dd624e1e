/**
 * Results and options of the instruction emulator (Linux: arch/x86/kvm/kvm_emulate.h, `X86EMUL_*`, `EMULATION_*`;
 * arch/x86/include/asm/kvm_host.h, `EMULTYPE_*`).
 */

/** Results of one operation (`em_in`, `check_perm_out`, a memory access …). */
export const X86EMUL_CONTINUE = 0;
/** The emulator cannot do it. */
export const X86EMUL_UNHANDLEABLE = 1;
/** The guest gets the exception in `ctxt.exceptionVector`. */
export const X86EMUL_PROPAGATE_FAULT = 2;
export const X86EMUL_RETRY_INSTR = 3;
export const X86EMUL_CMPXCHG_FAILED = 4;
/** Userspace must answer first; nothing has been committed. */
export const X86EMUL_IO_NEEDED = 5;
export const X86EMUL_INTERCEPTED = 6;

/** Results of `x86_emulate_insn`. */
export const EMULATION_FAILED = -1;
export const EMULATION_OK = 0;
/** A REP iteration is done, its registers are written back, the next one follows without a VM entry. */
export const EMULATION_RESTART = 1;
export const EMULATION_INTERCEPTED = 2;

/** Go on with the instruction that is in the context: userspace has answered. */
export const EMULTYPE_NO_DECODE = 1 << 0;
/** Whatever instruction met an address without memory. */
export const EMULTYPE_PF = 1 << 6;
