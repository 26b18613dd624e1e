/**
 * IN and OUT without the emulator: the exit qualification says all there is to know
 * (Linux: arch/x86/kvm/x86.c, `kvm_fast_pio` and around it). No permission check: the processor has made it.
 */
import { EAX } from '../cpu/registers.ts';
import type { IoSize } from '../uapi/kvm.ts';
import { kvmGetLinearRip } from './guest-debug.ts';
import {
  COMPLETE_FAST_PIO_IN,
  COMPLETE_FAST_PIO_OUT,
  COMPLETE_FAST_PIO_OUT_PORT_7E,
  KVM_X86_QUIRK_OUT_7E_INC_RIP,
  type KvmVcpu,
} from './kvm-vcpu.ts';
import { loadElement, PIO_EXIT, storeElement } from './pio.ts';

const QUIRK_PORT = 0x7e;

/** `val` as the read starts: RAX for 1 and 2 bytes, whose other bytes stay; 0 for 4, which replaces all. */
function startValue(vcpu: KvmVcpu, size: IoSize): Uint8Array {
  const { val } = vcpu.pio;
  storeElement(val, 0, 4, size === 4 ? 0 : vcpu.cpu.gpr[EAX]);
  return val;
}

/**
 * @returns PIO_EXIT: userspace, RIP still at the instruction (except for the quirk); else done, RIP not yet advanced.
 * @kvm kvm_fast_pio_out(vcpu, size, port) arch/x86/kvm/x86.c
 */
export function kvmFastPioOut(vcpu: KvmVcpu, size: IoSize, port: number): number {
  // The register file begins with EAX, so its bytes are the value.
  const r = vcpu.fn.emulatorPioOut(vcpu, size, port, vcpu.cpu.r8, 1);
  if (r !== PIO_EXIT) return r;
  if (port === QUIRK_PORT && (vcpu.quirks & KVM_X86_QUIRK_OUT_7E_INC_RIP) !== 0) {
    // KVM: firmware that was used to RIP standing behind the OUT at the exit still finds it there on this port. What the skip
    // returns is ignored: a single step of userspace replaces the exit by KVM_EXIT_DEBUG.
    vcpu.fn.kvmSkipEmulatedInstruction(vcpu);
    // The access is still to come: the instruction's tick must not pass before it.
    vcpu.kvm.clock.ticks--;
    vcpu.pio.ticksDue++;
    vcpu.completeUserspaceIo = COMPLETE_FAST_PIO_OUT_PORT_7E;
  } else {
    vcpu.pio.linearRip = kvmGetLinearRip(vcpu.cpu);
    vcpu.completeUserspaceIo = COMPLETE_FAST_PIO_OUT;
  }
  return PIO_EXIT;
}

/**
 * @returns PIO_EXIT: userspace, RIP and EAX unchanged; else EAX is written, RIP not yet advanced.
 * @kvm kvm_fast_pio_in(vcpu, size, port) arch/x86/kvm/x86.c
 */
export function kvmFastPioIn(vcpu: KvmVcpu, size: IoSize, port: number): number {
  const val = startValue(vcpu, size);
  const r = vcpu.fn.emulatorPioIn(vcpu, size, port, val, 1);
  if (r !== PIO_EXIT) {
    vcpu.cpu.gpr[EAX] = loadElement(val, 0, 4);
    return r;
  }
  vcpu.pio.linearRip = kvmGetLinearRip(vcpu.cpu);
  vcpu.completeUserspaceIo = COMPLETE_FAST_PIO_IN;
  return PIO_EXIT;
}

/** @kvm kvm_fast_pio(vcpu, size, port, in) arch/x86/kvm/x86.c */
export function kvmFastPio(vcpu: KvmVcpu, size: IoSize, port: number, isIn: boolean): number {
  const { fn } = vcpu;
  const r = isIn ? fn.kvmFastPioIn(vcpu, size, port) : fn.kvmFastPioOut(vcpu, size, port);
  return r !== PIO_EXIT ? fn.kvmSkipEmulatedInstruction(vcpu) : 0;
}

/**
 * Userspace has answered an IN. If it moved RIP meanwhile, the instruction is forgotten.
 *
 * @kvm complete_fast_pio_in(vcpu) arch/x86/kvm/x86.c
 */
export function completeFastPioIn(vcpu: KvmVcpu): number {
  const { cpu, pio } = vcpu;
  if (kvmGetLinearRip(cpu) !== pio.linearRip) {
    pio.count = 0;
    return 1;
  }
  // EAX as it is now: what userspace put into its upper bytes stays for 1 and 2 bytes.
  const val = startValue(vcpu, pio.size);
  vcpu.fn.completeEmulatorPioIn(vcpu, val);
  cpu.gpr[EAX] = loadElement(val, 0, 4);
  return vcpu.fn.kvmSkipEmulatedInstruction(vcpu);
}

/**
 * Userspace has taken an OUT. If it moved RIP meanwhile, RIP stays where it is.
 *
 * @kvm complete_fast_pio_out(vcpu) arch/x86/kvm/x86.c
 */
export function completeFastPioOut(vcpu: KvmVcpu): number {
  const { pio } = vcpu;
  pio.count = 0;
  if (kvmGetLinearRip(vcpu.cpu) !== pio.linearRip) return 1;
  return vcpu.fn.kvmSkipEmulatedInstruction(vcpu);
}

/** @kvm complete_fast_pio_out_port_0x7e(vcpu) arch/x86/kvm/x86.c */
export function completeFastPioOutPort0x7e(vcpu: KvmVcpu): number {
  vcpu.pio.count = 0;
  return 1;
}
