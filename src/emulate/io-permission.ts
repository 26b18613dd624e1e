/**
 * Who may touch a port, as KVM's emulator checks it (Linux: arch/x86/kvm/emulate.c, `emulator_io_permitted`). The
 * processor's own check, before the VM exit, is in cpu/.
 *
 * Intel SDM vol. 1, “I/O Permission Bit Map”.
 */
import { readSystem } from '../cpu/access.ts';
import { FAULT_NONE } from '../cpu/cpu.ts';
import { cpl, iopl } from '../cpu/privilege.ts';
import { AR_P, AR_UNUSABLE, GP_VECTOR, X86_CR0_PE, X86_EFLAGS_VM } from '../cpu/registers.ts';
import { SEG_TR } from '../decoder/insn.ts';
import type { KvmVcpu } from './kvm-vcpu.ts';
import { X86EMUL_CONTINUE, X86EMUL_PROPAGATE_FAULT } from './x86emul.ts';

/** Limit of the smallest 32-bit TSS that has an I/O map base. */
const TSS_MIN_LIMIT = 103;
/** Offset of the I/O map base in a 32-bit TSS. */
const TSS_IOPB_BASE_OFFSET = 102;

/**
 * Whether the I/O bitmap decides: always in virtual-8086 mode, in protected mode when CPL > IOPL, never in real mode.
 *
 * @kvm emulator_bad_iopl(ctxt) arch/x86/kvm/emulate.c
 */
export function emulatorBadIopl(vcpu: KvmVcpu): boolean {
  const { cpu } = vcpu;
  if ((cpu.cr0 & X86_CR0_PE) === 0) return false;
  if ((cpu.sysFlags & X86_EFLAGS_VM) !== 0) return true;
  return cpl(cpu) > iopl(cpu);
}

/** A word of the TSS, read as the supervisor; −1 when it cannot be read. */
function readTssWord(vcpu: KvmVcpu, offset: number): number {
  const { cpu } = vcpu;
  const port = cpu.mmio;
  // KVM: a TSS where no memory is cannot be read.
  cpu.mmio = null;
  const value = readSystem(cpu, (cpu.segBase[SEG_TR] + offset) | 0, 2);
  cpu.mmio = port;
  if (cpu.fault === FAULT_NONE) return value;
  // KVM: a page fault on the TSS is no #PF; the access is simply refused.
  cpu.fault = FAULT_NONE;
  return -1;
}

/**
 * The bitmap's answer. KVM: the type of the TSS is not looked at, and only the first bitmap byte is checked against the
 * limit although two are read; a processor checks both.
 *
 * @kvm emulator_io_port_access_allowed(ctxt, port, len) arch/x86/kvm/emulate.c
 */
export function emulatorIoPortAccessAllowed(vcpu: KvmVcpu, port: number, len: number): boolean {
  const { cpu } = vcpu;
  if ((cpu.segAttr[SEG_TR] & (AR_P | AR_UNUSABLE)) !== AR_P) return false;
  const limit = cpu.segLimit[SEG_TR];
  if (limit < TSS_MIN_LIMIT) return false;
  const base = readTssWord(vcpu, TSS_IOPB_BASE_OFFSET);
  if (base < 0) return false;
  const at = base + (port >> 3);
  if (at > limit) return false;
  const bits = readTssWord(vcpu, at);
  // What cannot be read refuses: −1 has every bit set.
  return ((bits >> (port & 7)) & ((1 << len) - 1)) === 0;
}

/**
 * The whole question. A yes holds for the rest of this emulation (`perm_ok`): it is not asked again between the
 * iterations of one entry, nor after userspace has answered.
 *
 * @kvm emulator_io_permitted(ctxt, port, len) arch/x86/kvm/emulate.c
 */
export function emulatorIoPermitted(vcpu: KvmVcpu, port: number, len: number): boolean {
  const { ctxt, fn } = vcpu;
  if (ctxt.permOk !== 0) return true;
  if (emulatorBadIopl(vcpu) && !fn.emulatorIoPortAccessAllowed(vcpu, port, len)) return false;
  ctxt.permOk = 1;
  return true;
}

function checkPerm(vcpu: KvmVcpu): number {
  const { ctxt } = vcpu;
  if (vcpu.fn.emulatorIoPermitted(vcpu, ctxt.port, ctxt.opBytes)) return X86EMUL_CONTINUE;
  ctxt.exceptionVector = GP_VECTOR;
  ctxt.exceptionErrorCode = 0;
  return X86EMUL_PROPAGATE_FAULT;
}

/** @kvm check_perm_in(ctxt) arch/x86/kvm/emulate.c */
export function checkPermIn(vcpu: KvmVcpu): number {
  return checkPerm(vcpu);
}

/** @kvm check_perm_out(ctxt) arch/x86/kvm/emulate.c */
export function checkPermOut(vcpu: KvmVcpu): number {
  return checkPerm(vcpu);
}
