import { describe, expect, it } from 'vitest';
import {
  printKvmAckIrq,
  printKvmApic,
  printKvmApicAcceptIrq,
  printKvmApicIpi,
  printKvmEmulateInsn,
  printKvmEntry,
  printKvmEoi,
  printKvmExit,
  printKvmInjException,
  printKvmInjVirq,
  printKvmIoapicDelayedEoiInj,
  printKvmIoapicSetIrq,
  printKvmMsiSetIrq,
  printKvmPicSetIrq,
  printKvmPio,
  printKvmSetIrq,
  printKvmUserspaceExit,
} from '../../../src/trace/kvm-printk.ts';

describe("the text of KVM's tracepoints", () => {
  it('kvm_pio: a single access ends in a space, a batch in (...)', () => {
    expect(printKvmPio(true, 0x80, 1, 1, 0xff)).toBe('pio_write at 0x80 size 1 count 1 val 0xff ');
    expect(printKvmPio(false, 0x1f0, 2, 512, 0xbeef)).toBe(
      'pio_read at 0x1f0 size 2 count 512 val 0xbeef (...)',
    );
    expect(printKvmPio(false, 0xcfc, 4, 1, 0xffffffff)).toBe(
      'pio_read at 0xcfc size 4 count 1 val 0xffffffff ',
    );
  });

  it('kvm_exit: the example of the kernel facts', () => {
    expect(printKvmExit(30, 0xfff0, 0x00800040, 0)).toBe(
      'vcpu 0 reason IO_INSTRUCTION rip 0xfff0 info1 0x0000000000800040 info2 0x0000000000000000 intr_info 0x00000000 error_code 0x00000000',
    );
  });

  it('kvm_exit: high qualification bits and reasons without a symbol', () => {
    expect(printKvmExit(30, 0x10000, 0x8fff0008 | 0, 0)).toContain('rip 0x10000 info1 0x000000008fff0008');
    expect(printKvmExit(63, 0, 0, 0)).toContain('reason 0x3f rip');
  });

  it('kvm_entry', () => {
    expect(printKvmEntry(0xfff0)).toBe('vcpu 0, rip 0xfff0');
  });

  it('kvm_userspace_exit: a reason, −EINTR, another errno', () => {
    expect(printKvmUserspaceExit(2, 0)).toBe('reason KVM_EXIT_IO (2)');
    expect(printKvmUserspaceExit(10, -4)).toBe('reason restart (4)');
    expect(printKvmUserspaceExit(0, -14)).toBe('reason error (14)');
  });

  it('kvm_emulate_insn', () => {
    const bytes = Uint8Array.of(0xea, 0x5b, 0xe0, 0x00, 0xf0);
    expect(printKvmEmulateInsn(0xf0000, 0xfff0, bytes, 'real', false)).toBe(
      'f0000:fff0:ea 5b e0 00 f0 (real)',
    );
    expect(printKvmEmulateInsn(0xffff0000 | 0, 0xfff0, Uint8Array.of(0x0f), 'prot32', true)).toBe(
      'ffff0000:fff0:0f (prot32) failed',
    );
  });

  it('kvm_inj_exception: with and without error code, and a vector without a name', () => {
    expect(printKvmInjException(13, true, 0)).toBe('#GP (0x0)');
    expect(printKvmInjException(1, false, 0)).toBe('#DB');
    expect(printKvmInjException(2, false, 0)).toBe('0x2');
  });

  it('kvm_inj_virq', () => {
    expect(printKvmInjVirq(0x20)).toBe('IRQ 0x20');
  });

  it('kvm_set_irq', () => {
    expect(printKvmSetIrq(0, 1, 2)).toBe('gsi 0 level 1 source 2');
  });

  it('kvm_pic_set_irq: trigger from ELCR, mask from IMR, coalesced', () => {
    expect(printKvmPicSetIrq(0, 0, 0, 0, false)).toBe('chip 0 pin 0 (edge)');
    expect(printKvmPicSetIrq(1, 3, 0x08, 0xff, true)).toBe('chip 1 pin 3 (level|masked) (coalesced)');
  });

  it('kvm_ioapic_set_irq: the redirection entry in words', () => {
    expect(printKvmIoapicSetIrq(0x1_0000, 0, 2, false)).toBe(
      'pin 2 dst 0 vec 0 (Fixed|physical|edge|masked)',
    );
    expect(printKvmIoapicSetIrq(0x8000 | 0x800 | 0x130, 0xab00_0000 | 0, 23, true)).toBe(
      'pin 23 dst ab vec 48 (LowPrio|logical|level) (coalesced)',
    );
    const modes = [2, 3, 4, 5, 6, 7].map((mode) => printKvmIoapicDelayedEoiInj(mode << 8, 0));
    expect(modes).toEqual(
      ['SMI', 'Res3', 'NMI', 'INIT', 'SIPI', 'ExtINT'].map((mode) => `dst 0 vec 0 (${mode}|physical|edge)`),
    );
  });

  it('kvm_apic: registers by name, a byte inside of one by its offset', () => {
    expect(printKvmApic(true, 0xb0, 0)).toBe('apic_write APIC_EOI = 0x0');
    expect(printKvmApic(false, 0x390, 0xffff_ffff)).toBe('apic_read APIC_TMCCT = 0xffffffff');
    expect(printKvmApic(false, 0x391, 1)).toBe('apic_read 0x391 = 0x1');
  });

  it('kvm_apic_ipi, kvm_apic_accept_irq, kvm_eoi, kvm_msi_set_irq', () => {
    expect(printKvmApicIpi(0xc_4831, 0xff)).toBe('dst ff vec 49 (Fixed|logical|assert|edge|all-but-self)');
    expect(printKvmApicIpi(0x8500, 1)).toBe('dst 1 vec 0 (INIT|physical|de-assert|level|dst)');
    expect(printKvmApicAcceptIrq(0, 0x100, 0x8000, 0x31)).toBe('apicid 0 vec 49 (LowPrio|level)');
    expect(printKvmEoi(0, -1)).toBe('apicid 0 vector -1');
    expect(printKvmMsiSetIrq(0xfee1_200c, 0xc431)).toBe('dst 12 vec 49 (NMI|logical|level|rh)');
  });

  it('kvm_ack_irq', () => {
    expect(printKvmAckIrq(0, 0)).toBe('irqchip PIC master pin 0');
    expect(printKvmAckIrq(1, 7)).toBe('irqchip PIC slave pin 7');
  });
});
