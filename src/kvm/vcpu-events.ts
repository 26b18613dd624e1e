/**
 * KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, KVM_INTERRUPT, KVM_NMI: events on their way into the guest
 * (Linux: arch/x86/kvm/x86.c).
 */
import type { Cpu } from '../cpu/cpu.ts';
import { deliverDebugPayload, NO_PAYLOAD } from '../cpu/debug-exception.ts';
import { BP_VECTOR, DB_VECTOR, NMI_VECTOR, OF_VECTOR } from '../cpu/registers.ts';
import { EFAULT, EINVAL, ENXIO } from '../uapi/errno.ts';
import {
  KVM_VCPUEVENT_VALID_NMI_PENDING,
  KVM_VCPUEVENT_VALID_PAYLOAD,
  KVM_VCPUEVENT_VALID_SHADOW,
  KVM_VCPUEVENT_VALID_SIPI_VECTOR,
  KVM_VCPUEVENT_VALID_SMM,
  KVM_VCPUEVENT_VALID_TRIPLE_FAULT,
  type KvmInterrupt,
  type KvmVcpuEvents,
} from '../uapi/kvm.ts';
import { isStruct } from './ioctl-args.ts';
import { hasIntegers } from './struct-checks.ts';

const SHADOW_MASK = 3;
const VALID_FLAGS =
  KVM_VCPUEVENT_VALID_NMI_PENDING |
  KVM_VCPUEVENT_VALID_SIPI_VECTOR |
  KVM_VCPUEVENT_VALID_SHADOW |
  KVM_VCPUEVENT_VALID_SMM |
  KVM_VCPUEVENT_VALID_PAYLOAD |
  KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
const U8_END = 0x100;
const U32_END = 0x1_0000_0000;

/** Events of a vCPU that the CPU itself does not hold. */
export class VcpuEvents {
  /** `arch.interrupt`: injected at the next entry, whatever EFLAGS.IF says. Vector, or −1. */
  interruptVector = -1;
  /** It came from an INT n. */
  interruptSoft = 0;
  /** `arch.nmi_injected`: an NMI that the next entry delivers even while NMIs are blocked. */
  nmiInjected = 0;

  reset(): void {
    this.interruptVector = -1;
    this.interruptSoft = 0;
    this.nmiInjected = 0;
  }
}

/** What of a vCPU and its machine these ioctls need. */
export interface EventsVcpu {
  readonly cpu: Cpu;
  readonly events: VcpuEvents;
  readonly kvm: { readonly irqchipInKernel: boolean; readonly exceptionPayloadEnabled: boolean };
}

/**
 * The exception that waits: vector, or −1. A debug trap becomes a queued #DB. KVM: what it has to say to DR6 (or CR2) is
 * delivered now, since this userspace does not take payloads.
 */
function queuedException(cpu: Cpu): number {
  if (cpu.queuedVector < 0 && cpu.pendingDebugTrap !== 0) {
    cpu.queuedVector = DB_VECTOR;
    cpu.queuedErrorCode = cpu.pendingDebugTrap;
    cpu.pendingDebugTrap = 0;
  }
  if (cpu.queuedVector === DB_VECTOR) {
    deliverDebugPayload(cpu, cpu.queuedErrorCode);
    cpu.queuedErrorCode = NO_PAYLOAD;
  }
  return cpu.queuedVector;
}

/** Vectors that push an error code in protected mode: #DF #TS #NP #SS #GP #PF #AC. */
const ERROR_CODE_VECTORS = 0x2_7d00;

/**
 * KVM_GET_VCPU_EVENTS.
 *
 * @kvm kvm_vcpu_ioctl_x86_get_vcpu_events(vcpu, events) arch/x86/kvm/x86.c (as: returned)
 */
export function kvmVcpuIoctlX86GetVcpuEvents(vcpu: EventsVcpu): KvmVcpuEvents {
  const { cpu, events, kvm } = vcpu;
  const vector = queuedException(cpu);
  const hasErrorCode = vector >= 0 && (ERROR_CODE_VECTORS & (1 << vector)) !== 0;
  // KVM: #BP and #OF are not reported, for want of the instruction length.
  const isShown = vector >= 0 && vector !== BP_VECTOR && vector !== OF_VECTOR;
  const pending = isShown ? 1 : 0;
  const isHard = events.interruptVector >= 0 && events.interruptSoft === 0;
  return {
    exception: {
      // KVM: for old userspace, pending is called injected too.
      injected: kvm.exceptionPayloadEnabled ? 0 : pending,
      nr: Math.max(vector, 0),
      has_error_code: hasErrorCode ? 1 : 0,
      pending,
      error_code: hasErrorCode ? cpu.queuedErrorCode >>> 0 : 0,
    },
    interrupt: {
      injected: isHard ? 1 : 0,
      nr: Math.max(events.interruptVector, 0),
      soft: 0,
      shadow: cpu.interruptShadow,
    },
    nmi: { injected: events.nmiInjected, pending: cpu.pendingNmi, masked: cpu.nmiMasked },
    sipi_vector: 0,
    flags:
      KVM_VCPUEVENT_VALID_NMI_PENDING |
      KVM_VCPUEVENT_VALID_SHADOW |
      (kvm.exceptionPayloadEnabled ? KVM_VCPUEVENT_VALID_PAYLOAD : 0),
    smi: { smm: 0, pending: 0, smm_inside_nmi: 0, latched_init: 0 },
    triple_fault: { pending: 0 },
    exception_has_payload: 0,
    exception_payload: 0,
  };
}

/** Every field there and of its width; `triple_fault` and the payload may be left out. */
function isEvents(events: Readonly<KvmVcpuEvents>): boolean {
  const { exception, interrupt, nmi, smi } = events;
  return (
    [exception, interrupt, nmi, smi].every(isStruct) &&
    hasIntegers(exception, ['injected', 'nr', 'has_error_code', 'pending'], 0, U8_END) &&
    hasIntegers(exception, ['error_code'], 0, U32_END) &&
    hasIntegers(interrupt, ['injected', 'nr', 'soft', 'shadow'], 0, U8_END) &&
    hasIntegers(nmi, ['injected', 'pending', 'masked'], 0, U8_END) &&
    hasIntegers(smi, ['smm', 'pending', 'smm_inside_nmi', 'latched_init'], 0, U8_END) &&
    hasIntegers(events, ['flags', 'sipi_vector'], 0, U32_END)
  );
}

/** What KVM refuses. */
function checkEvents(vcpu: EventsVcpu, events: Readonly<KvmVcpuEvents>): number {
  const { flags, exception, smi } = events;
  if ((flags & ~VALID_FLAGS) !== 0) return -EINVAL;
  const hasPayload = (flags & KVM_VCPUEVENT_VALID_PAYLOAD) !== 0;
  if (hasPayload && !vcpu.kvm.exceptionPayloadEnabled) return -EINVAL;
  const isQueued = exception.injected !== 0 || (hasPayload && exception.pending !== 0);
  if (isQueued && (exception.nr > 31 || exception.nr === NMI_VECTOR)) return -EINVAL;
  // KVM without CONFIG_KVM_SMM; pio86 has no system management mode.
  const isSmm = smi.smm !== 0 || smi.pending !== 0 || smi.smm_inside_nmi !== 0 || smi.latched_init !== 0;
  if ((flags & KVM_VCPUEVENT_VALID_SMM) !== 0 && isSmm) return -EINVAL;
  // KVM_CAP_X86_TRIPLE_FAULT_EVENT is not there.
  return (flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT) !== 0 ? -EINVAL : 0;
}

/** DR6 of a #DB, CR2 of a #PF. */
function deliverPayload(cpu: Cpu, vector: number, payload: number): void {
  if (vector === DB_VECTOR) deliverDebugPayload(cpu, payload);
  else if (vector === 14) cpu.cr2 = payload | 0;
}

/**
 * KVM_SET_VCPU_EVENTS.
 *
 * @returns 0, −EFAULT or −EINVAL; nothing has changed then.
 * @kvm kvm_vcpu_ioctl_x86_set_vcpu_events(vcpu, events) arch/x86/kvm/x86.c
 */
export function kvmVcpuIoctlX86SetVcpuEvents(vcpu: EventsVcpu, events: Readonly<KvmVcpuEvents>): number {
  if (!isStruct(events)) return -EFAULT;
  if (!isEvents(events)) return -EINVAL;
  const error = checkEvents(vcpu, events);
  if (error !== 0) return error;
  const { cpu, events: own } = vcpu;
  const { flags, exception, interrupt, nmi } = events;
  const hasPayloads = (flags & KVM_VCPUEVENT_VALID_PAYLOAD) !== 0;
  const isPending = hasPayloads && exception.pending !== 0;
  cpu.pendingDebugTrap = 0;
  cpu.queuedVector = isPending || exception.injected !== 0 ? exception.nr : -1;
  cpu.queuedErrorCode = exception.nr === DB_VECTOR ? NO_PAYLOAD : exception.error_code | 0;
  if (isPending && events.exception_has_payload !== 0) {
    deliverPayload(cpu, exception.nr, events.exception_payload);
  }
  own.interruptVector = interrupt.injected !== 0 ? interrupt.nr : -1;
  own.interruptSoft = interrupt.soft;
  if ((flags & KVM_VCPUEVENT_VALID_SHADOW) !== 0) cpu.interruptShadow = interrupt.shadow & SHADOW_MASK;
  own.nmiInjected = nmi.injected !== 0 ? 1 : 0;
  cpu.nmiMasked = nmi.masked !== 0 ? 1 : 0;
  if ((flags & KVM_VCPUEVENT_VALID_NMI_PENDING) !== 0) {
    cpu.pendingNmi = 0;
    queueNmis(vcpu, nmi.pending);
  }
  cpu.raiseAttention();
  return 0;
}

/** `process_nmi`: of many NMIs at once two are kept, one while another is being handled. */
function queueNmis(vcpu: EventsVcpu, count: number): void {
  const { cpu, events } = vcpu;
  const limit = cpu.nmiMasked !== 0 || events.nmiInjected !== 0 ? 1 : 2;
  cpu.pendingNmi = Math.min(cpu.pendingNmi + count, limit);
  cpu.raiseAttention();
}

/**
 * KVM_NMI.
 *
 * @returns 0.
 * @kvm kvm_inject_nmi(vcpu) arch/x86/kvm/x86.c
 */
export function kvmInjectNmi(vcpu: EventsVcpu): number {
  queueNmis(vcpu, 1);
  return 0;
}

/**
 * KVM_INTERRUPT: the next entry injects it. The embedder has looked at `run.ready_for_interrupt_injection`; without that
 * the entry fails as the processor's does.
 *
 * @returns 0; −EINVAL for no vector; −ENXIO with an in-kernel PIC. KVM: one that waits already is replaced.
 * @kvm kvm_vcpu_ioctl_interrupt(vcpu, irq) arch/x86/kvm/x86.c
 */
export function kvmVcpuIoctlInterrupt(vcpu: EventsVcpu, irq: Readonly<KvmInterrupt>): number {
  if (!isStruct(irq)) return -EFAULT;
  if (!hasIntegers(irq, ['irq'], 0, U8_END)) return -EINVAL;
  if (vcpu.kvm.irqchipInKernel) return -ENXIO;
  vcpu.events.interruptVector = irq.irq;
  vcpu.events.interruptSoft = 0;
  vcpu.cpu.raiseAttention();
  return 0;
}
