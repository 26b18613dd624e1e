/**
 * The in-kernel local APIC of a vCPU: how it is made, what it does to its processor, and its ioctls
 * (Linux: arch/x86/kvm/x86.c, arch/x86/kvm/lapic.c).
 */
import { IOAPIC_MASKED } from '../devices/ioapic-state.ts';
import { Lapic } from '../devices/lapic.ts';
import {
  APIC_DM_FIXED,
  APIC_LVT_TIMER_MODE_MASK,
  APIC_LVT_TIMER_PERIODIC,
  APIC_MODE_MASK,
  KVM_APIC_REG_SIZE,
} from '../devices/lapic-reg.ts';
import { KVM_APIC_INIT, KVM_APIC_SIPI, type LapicVcpu } from '../devices/lapic-state.ts';
import { EFAULT, EINVAL } from '../uapi/errno.ts';
import type { KvmCpuidEntry2, KvmLapicState } from '../uapi/kvm.ts';
import { isStruct } from './ioctl-args.ts';
import type { Vcpu } from './vcpu.ts';
import { kvmInjectNmi } from './vcpu-events.ts';

/** The boot processor's id. */
const BSP_ID = 0;

/** A vCPU as its local APIC sees it. */
class LapicPort implements LapicVcpu {
  readonly #vcpu: Vcpu;

  constructor(vcpu: Vcpu) {
    this.#vcpu = vcpu;
  }

  get id(): number {
    return this.#vcpu.id;
  }

  get isResetBsp(): boolean {
    return this.#vcpu.id === BSP_ID;
  }

  get quirks(): number {
    return this.#vcpu.quirks;
  }

  get tscHz(): number {
    return this.#vcpu.kvm.clock.ips;
  }

  readTsc(): number {
    return this.#vcpu.kvm.clock.ticks + this.#vcpu.cpu.tscOffset;
  }

  injectNmi(): void {
    kvmInjectNmi(this.#vcpu);
  }

  kick(): void {
    this.#vcpu.cpu.raiseAttention();
  }
}

/** CPUID leaf 1, ECX: the timer knows TSC deadlines. */
const FEATURE_TSC_DEADLINE_TIMER = 1 << 24;

/**
 * KVM_SET_CPUID2, or a processor model: LVTT has the mode bits that CPUID tells of.
 *
 * @kvm kvm_vcpu_after_set_cpuid(vcpu) arch/x86/kvm/cpuid.c (as setTimerModeMask: the local APIC's part)
 */
export function setTimerModeMask(apic: Lapic, entries: readonly Readonly<KvmCpuidEntry2>[]): void {
  const ecx = entries.find((entry) => entry.function === 1)?.ecx ?? 0;
  const hasDeadlines = (ecx & FEATURE_TSC_DEADLINE_TIMER) !== 0;
  apic.state.timer_mode_mask = hasDeadlines ? APIC_LVT_TIMER_MODE_MASK : APIC_LVT_TIMER_PERIODIC;
}

/** @returns null without an in-kernel irqchip. @kvm kvm_create_lapic(vcpu) arch/x86/kvm/lapic.c */
export function kvmCreateLapic(vcpu: Vcpu): Lapic | null {
  const { kvm } = vcpu;
  return kvm.irqchipInKernel ? new Lapic(kvm.clock, new LapicPort(vcpu), kvm.apics) : null;
}

/**
 * INIT and SIPI that have arrived. INIT resets the processor and its local APIC but not CR0.CD and CR0.NW; the boot
 * processor then runs from the reset vector and waits for no SIPI, so that one is dropped.
 *
 * @kvm kvm_apic_accept_events(vcpu) arch/x86/kvm/lapic.c
 */
export function kvmApicAcceptEvents(vcpu: Vcpu): void {
  const { apic } = vcpu;
  if (apic === null || apic.state.pending_events === 0) return;
  if ((apic.state.pending_events & KVM_APIC_INIT) !== 0) {
    vcpu.kvm.creationFn.kvmVcpuReset(vcpu, true);
  }
  apic.state.pending_events &= ~(KVM_APIC_INIT | KVM_APIC_SIPI);
}

/**
 * Whether something but an interrupt may still come to a processor that waits in HLT with IF = 0: an NMI or INIT, by the
 * PIT through LVT0 or through the IOAPIC.
 */
export function canWakeWithoutInterrupts(vcpu: Vcpu): boolean {
  const { apic } = vcpu;
  const { ioapic } = vcpu.kvm;
  if (apic === null || ioapic === null) return false;
  if (apic.state.lvt0_in_nmi_mode) return true;
  return ioapic.state.redirtbl.some(
    ({ low }) => (low & IOAPIC_MASKED) === 0 && (low & APIC_MODE_MASK) !== APIC_DM_FIXED,
  );
}

/** KVM_GET_LAPIC. @returns −EINVAL without an in-kernel local APIC. */
export function getLapic(vcpu: Vcpu): KvmLapicState | number {
  const { apic } = vcpu;
  if (apic === null) return -EINVAL;
  const words = new Uint32Array(KVM_APIC_REG_SIZE / 4);
  apic.kvm.fn.kvmApicGetState(apic, words);
  const regs = new Uint8Array(KVM_APIC_REG_SIZE);
  const view = new DataView(regs.buffer);
  for (let i = 0; i < words.length; i++) view.setUint32(4 * i, words[i], true);
  return { regs };
}

/** KVM_SET_LAPIC. @returns 0; −EINVAL without an in-kernel local APIC, −EFAULT for anything but 1 KiB. */
export function setLapic(vcpu: Vcpu, state: Readonly<KvmLapicState>): number {
  const { apic } = vcpu;
  if (apic === null) return -EINVAL;
  if (!isStruct(state)) return -EFAULT;
  const { regs } = state;
  if (!(regs instanceof Uint8Array) || regs.length !== KVM_APIC_REG_SIZE) return -EFAULT;
  const view = new DataView(regs.buffer, regs.byteOffset, regs.byteLength);
  const words = new Uint32Array(KVM_APIC_REG_SIZE / 4);
  for (let i = 0; i < words.length; i++) words[i] = view.getUint32(4 * i, true);
  return apic.kvm.fn.kvmApicSetState(apic, words);
}
