/**
 * `struct kvm_vcpu_events`, `kvm_debugregs`, `kvm_guest_debug` (Linux: arch/x86/include/uapi/asm/kvm.h).
 */
import type { KvmDebugregs, KvmGuestDebug, KvmVcpuEvents } from '../uapi/kvm.ts';
import { SIZEOF } from './ioctl-numbers.ts';
import { StructView } from './struct-view.ts';

const INTERRUPT = 8;
const NMI = 12;
const SIPI_VECTOR = 16;
const FLAGS = 20;
const SMI = 24;
const TRIPLE_FAULT = 28;
const HAS_PAYLOAD = 55;
const PAYLOAD = 56;

export function unpackVcpuEvents(view: StructView): KvmVcpuEvents {
  return {
    exception: {
      injected: view.u8(0),
      nr: view.u8(1),
      has_error_code: view.u8(2),
      pending: view.u8(3),
      error_code: view.u32(4),
    },
    interrupt: {
      injected: view.u8(INTERRUPT),
      nr: view.u8(INTERRUPT + 1),
      soft: view.u8(INTERRUPT + 2),
      shadow: view.u8(INTERRUPT + 3),
    },
    nmi: { injected: view.u8(NMI), pending: view.u8(NMI + 1), masked: view.u8(NMI + 2) },
    sipi_vector: view.u32(SIPI_VECTOR),
    flags: view.u32(FLAGS),
    smi: {
      smm: view.u8(SMI),
      pending: view.u8(SMI + 1),
      smm_inside_nmi: view.u8(SMI + 2),
      latched_init: view.u8(SMI + 3),
    },
    triple_fault: { pending: view.u8(TRIPLE_FAULT) },
    exception_has_payload: view.u8(HAS_PAYLOAD),
    exception_payload: view.u64(PAYLOAD),
  };
}

export function packVcpuEvents(events: Readonly<KvmVcpuEvents>): StructView {
  const view = new StructView(SIZEOF.kvm_vcpu_events);
  const { exception, interrupt, nmi, smi } = events;
  view.setU8(0, exception.injected);
  view.setU8(1, exception.nr);
  view.setU8(2, exception.has_error_code);
  view.setU8(3, exception.pending);
  view.setU32(4, exception.error_code);
  view.setU8(INTERRUPT, interrupt.injected);
  view.setU8(INTERRUPT + 1, interrupt.nr);
  view.setU8(INTERRUPT + 2, interrupt.soft);
  view.setU8(INTERRUPT + 3, interrupt.shadow);
  view.setU8(NMI, nmi.injected);
  view.setU8(NMI + 1, nmi.pending);
  view.setU8(NMI + 2, nmi.masked);
  view.setU32(SIPI_VECTOR, events.sipi_vector);
  view.setU32(FLAGS, events.flags);
  view.setU8(SMI, smi.smm);
  view.setU8(SMI + 1, smi.pending);
  view.setU8(SMI + 2, smi.smm_inside_nmi);
  view.setU8(SMI + 3, smi.latched_init);
  view.setU8(TRIPLE_FAULT, events.triple_fault.pending);
  view.setU8(HAS_PAYLOAD, events.exception_has_payload);
  view.setU64(PAYLOAD, events.exception_payload);
  return view;
}

const DR6 = 32;
const DR7 = 40;
const DR_FLAGS = 48;

export function unpackDebugregs(view: StructView): KvmDebugregs {
  return {
    db: [view.u32(0), view.u32(8), view.u32(16), view.u32(24)],
    dr6: view.u32(DR6),
    dr7: view.u32(DR7),
    flags: view.u32(DR_FLAGS),
  };
}

export function packDebugregs({ db, dr6, dr7, flags }: Readonly<KvmDebugregs>): StructView {
  const view = new StructView(SIZEOF.kvm_debugregs);
  db.forEach((value, i) => {
    view.setU64(8 * i, value);
  });
  view.setU64(DR6, dr6);
  view.setU64(DR7, dr7);
  view.setU64(DR_FLAGS, flags);
  return view;
}

export function packGuestDebug({ control, debugreg }: Readonly<KvmGuestDebug>): StructView {
  const view = new StructView(SIZEOF.kvm_guest_debug);
  view.setU32(0, control);
  (debugreg ?? []).slice(0, 8).forEach((value, i) => {
    view.setU64(8 + 8 * i, value);
  });
  return view;
}
