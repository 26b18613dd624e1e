/**
 * The text of KVM's tracepoints, byte for byte as the kernel prints it (Linux 6.12: arch/x86/kvm/trace.h,
 * include/trace/events/kvm.h, TP_printk of each event). Plain concatenation: no format interpreter.
 */
import { KVM_EXIT_NAMES } from '../uapi/kvm.ts';
import { VMX_EXIT_REASONS } from '../uapi/vmx.ts';
import { hex8, hexBytes, hexPlain } from './hex-text.ts';

/** There is one vCPU. */
const VCPU_ID = 0;
const EINTR = 4;
const NO_EVENT = ' intr_info 0x00000000 error_code 0x00000000';

/** Guest modes as `kvm_emulate_insn` names them. */
export type EmulMode = 'real' | 'vm16' | 'prot16' | 'prot32';

const EXCEPTIONS: Readonly<Record<number, string>> = {
  0: '#DE',
  1: '#DB',
  3: '#BP',
  4: '#OF',
  5: '#BR',
  6: '#UD',
  7: '#NM',
  8: '#DF',
  10: '#TS',
  11: '#NP',
  12: '#SS',
  13: '#GP',
  14: '#PF',
  16: '#MF',
  17: '#AC',
  18: '#MC',
};

const DELIVERY_MODES = ['Fixed', 'LowPrio', 'SMI', 'Res3', 'NMI', 'INIT', 'SIPI', 'ExtINT'];
const APIC_SHORTHANDS = ['dst', 'self', 'all', 'all-but-self'];
const APIC_REGS: Readonly<Record<number, string>> = {
  32: 'APIC_ID',
  48: 'APIC_LVR',
  128: 'APIC_TASKPRI',
  144: 'APIC_ARBPRI',
  160: 'APIC_PROCPRI',
  176: 'APIC_EOI',
  192: 'APIC_RRR',
  208: 'APIC_LDR',
  224: 'APIC_DFR',
  240: 'APIC_SPIV',
  256: 'APIC_ISR',
  384: 'APIC_TMR',
  512: 'APIC_IRR',
  640: 'APIC_ESR',
  768: 'APIC_ICR',
  784: 'APIC_ICR2',
  800: 'APIC_LVTT',
  816: 'APIC_LVTTHMR',
  832: 'APIC_LVTPC',
  848: 'APIC_LVT0',
  864: 'APIC_LVT1',
  880: 'APIC_LVTERR',
  896: 'APIC_TMICT',
  912: 'APIC_TMCCT',
  992: 'APIC_TDCR',
  1008: 'APIC_SELF_IPI',
  1024: 'APIC_EFEAT',
  1040: 'APIC_ECTRL',
};

const IRQCHIPS = ['PIC master', 'PIC slave', 'IOAPIC'];

/** `pio_write at 0x80 size 1 count 1 val 0xff `: a single access ends in a space. */
export function printKvmPio(write: boolean, port: number, size: number, count: number, val: number): string {
  return (
    (write ? 'pio_write at 0x' : 'pio_read at 0x') +
    `${hexPlain(port)} size ${size} count ${count} val 0x${hexPlain(val)}${count > 1 ? ' (...)' : ' '}`
  );
}

/** `vcpu 0 reason IO_INSTRUCTION rip 0xfff0 info1 0x… info2 0x… intr_info 0x… error_code 0x…` */
export function printKvmExit(reason: number, rip: number, info1: number, info2: number): string {
  const name = VMX_EXIT_REASONS[reason] ?? `0x${hexPlain(reason)}`;
  return (
    `vcpu ${VCPU_ID} reason ${name} rip 0x${hexPlain(rip)}` +
    ` info1 0x00000000${hex8(info1)} info2 0x00000000${hex8(info2)}${NO_EVENT}`
  );
}

/** `vcpu 0, rip 0xfff0` */
export function printKvmEntry(rip: number): string {
  return `vcpu ${VCPU_ID}, rip 0x${hexPlain(rip)}`;
}

/** `reason KVM_EXIT_IO (2)`, or `reason restart (4)` for −EINTR. */
export function printKvmUserspaceExit(reason: number, errno: number): string {
  if (errno < 0) return `reason ${errno === -EINTR ? 'restart' : 'error'} (${-errno})`;
  return `reason ${KVM_EXIT_NAMES[reason] ?? `0x${hexPlain(reason)}`} (${reason})`;
}

/** `f0000:fff0:ea 5b e0 00 f0 (real)` */
export function printKvmEmulateInsn(
  csBase: number,
  rip: number,
  bytes: Uint8Array,
  mode: EmulMode,
  failed: boolean,
): string {
  return `${hexPlain(csBase)}:${hexPlain(rip)}:${hexBytes(bytes)} (${mode})${failed ? ' failed' : ''}`;
}

/** `#GP (0x0)` */
export function printKvmInjException(vector: number, hasErrorCode: boolean, errorCode: number): string {
  const name = EXCEPTIONS[vector] ?? `0x${hexPlain(vector)}`;
  return hasErrorCode ? `${name} (0x${hexPlain(errorCode)})` : name;
}

/** `IRQ 0x20` */
export function printKvmInjVirq(vector: number): string {
  return `IRQ 0x${hexPlain(vector)}`;
}

/** `gsi 0 level 1 source 2` */
export function printKvmSetIrq(gsi: number, level: number, sourceId: number): string {
  return `gsi ${gsi} level ${level} source ${sourceId}`;
}

/** `chip 0 pin 0 (edge|masked)`; `elcr` and `imr` are the chip's registers. */
export function printKvmPicSetIrq(
  chip: number,
  pin: number,
  elcr: number,
  imr: number,
  coalesced: boolean,
): string {
  const bit = 1 << pin;
  return (
    `chip ${chip} pin ${pin} (${(elcr & bit) !== 0 ? 'level' : 'edge'}` +
    `${(imr & bit) !== 0 ? '|masked' : ''})${coalesced ? ' (coalesced)' : ''}`
  );
}

/** `dst 0 vec 32 (Fixed|physical|edge|masked)`: a redirection entry in its two halves. */
function redirectEntry(low: number, high: number): string {
  return (
    `dst ${hexPlain(high >>> 24)} vec ${low & 0xff} (${DELIVERY_MODES[(low >>> 8) & 7]}` +
    `|${(low & (1 << 11)) !== 0 ? 'logical' : 'physical'}` +
    `|${(low & (1 << 15)) !== 0 ? 'level' : 'edge'}${(low & (1 << 16)) !== 0 ? '|masked' : ''})`
  );
}

/** `pin 0 dst 0 vec 0 (Fixed|physical|edge|masked)`; the entry as it was before. */
export function printKvmIoapicSetIrq(low: number, high: number, pin: number, coalesced: boolean): string {
  return `pin ${pin} ${redirectEntry(low, high)}${coalesced ? ' (coalesced)' : ''}`;
}

/** `dst 0 vec 48 (Fixed|physical|level)` */
export function printKvmIoapicDelayedEoiInj(low: number, high: number): string {
  return redirectEntry(low, high);
}

/** `irqchip PIC master pin 0` */
export function printKvmAckIrq(irqchip: number, pin: number): string {
  return `irqchip ${IRQCHIPS[irqchip] ?? `0x${hexPlain(irqchip)}`} pin ${pin}`;
}

/** `apic_write APIC_EOI = 0x0`; a register without a name is its offset. */
export function printKvmApic(isWrite: boolean, reg: number, val: number): string {
  const name = APIC_REGS[reg] ?? `0x${hexPlain(reg)}`;
  return `apic_${isWrite ? 'write' : 'read'} ${name} = 0x${hexPlain(val)}`;
}

/** `dst 0 vec 48 (Fixed|physical|assert|edge|dst)` */
export function printKvmApicIpi(icrLow: number, destId: number): string {
  return (
    `dst ${hexPlain(destId)} vec ${icrLow & 0xff} (${DELIVERY_MODES[(icrLow >> 8) & 7]}` +
    `|${(icrLow & (1 << 11)) !== 0 ? 'logical' : 'physical'}` +
    `|${(icrLow & (1 << 14)) !== 0 ? 'assert' : 'de-assert'}` +
    `|${(icrLow & (1 << 15)) !== 0 ? 'level' : 'edge'}|${APIC_SHORTHANDS[(icrLow >> 18) & 3]})`
  );
}

/** `apicid 0 vec 48 (Fixed|edge)` */
export function printKvmApicAcceptIrq(
  apicid: number,
  deliveryMode: number,
  trigMode: number,
  vector: number,
): string {
  const mode = DELIVERY_MODES[(deliveryMode >> 8) & 7];
  return `apicid ${hexPlain(apicid)} vec ${vector} (${mode}|${trigMode !== 0 ? 'level' : 'edge'})`;
}

/** `apicid 0 vector 48` */
export function printKvmEoi(apicid: number, vector: number): string {
  return `apicid ${hexPlain(apicid)} vector ${vector}`;
}

/** `dst 0 vec 48 (Fixed|physical|edge)` */
export function printKvmMsiSetIrq(address: number, data: number): string {
  return (
    `dst ${hexPlain((address >>> 12) & 0xff)} vec ${data & 0xff} (${DELIVERY_MODES[(data >> 8) & 7]}` +
    `|${(address & 4) !== 0 ? 'logical' : 'physical'}|${(data & (1 << 15)) !== 0 ? 'level' : 'edge'}` +
    `${(address & 8) !== 0 ? '|rh' : ''})`
  );
}
