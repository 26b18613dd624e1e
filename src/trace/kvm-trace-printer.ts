/**
 * Prints tracepoints as lines:
 *
 * `[0.000000130] 0000:1006  kvm_pio: pio_write at 0x43 size 1 count 1 val 0x34  | out 0x43,al ; timer0 (i8254): …`
 *
 * virtual time, CS:IP, the event, KVM's own text, and after the bar what KVM does not know: the instruction, the
 * port's name, the device and what a control word means.
 */
import type { VirtualClock } from '../bus/clock.ts';
import type { Cpu } from '../cpu/cpu.ts';
import type { GuestMemory } from '../cpu/memory.ts';
import { X86_CR0_PE, X86_EFLAGS_VM } from '../cpu/registers.ts';
import type { KvmTracepoints } from '../emulate/kvm-vcpu.ts';
import { KVM_EXIT_IO } from '../uapi/kvm.ts';
import { EXIT_REASON_IO_INSTRUCTION, ioQualPort } from '../uapi/vmx.ts';
import { CodeText } from './code-text.ts';
import type { TraceEvent } from './events.ts';
import {
  type EmulMode,
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
} from './kvm-printk.ts';
import { LineHead } from './line-head.ts';
import type { PortNames } from './port-names.ts';
import { portNote } from './port-notes.ts';
import { encodeText, TextMemo } from './text-memo.ts';

/** Where lines go. */
export interface LineSink {
  /** One line in UTF-8, in two pieces; it ends in a newline. The bytes are copied. */
  writeLine(head: Uint8Array, text: Uint8Array): void;
}

/** A sink that calls `write` with each line. */
export function lineSinkOf(write: (line: string) => void): LineSink {
  const decoder = new TextDecoder();
  return {
    writeLine(head, text) {
      write(decoder.decode(head) + decoder.decode(text));
    },
  };
}

/** What the printer looks at; a `Board`'s `vm` and `vcpu` have it. */
export interface TracedMachine {
  readonly clock: VirtualClock;
  readonly memory: GuestMemory;
  readonly cpu: Cpu;
}

function emulMode(cpu: Cpu): EmulMode {
  if ((cpu.cr0 & X86_CR0_PE) === 0) return 'real';
  if ((cpu.sysFlags & X86_EFLAGS_VM) !== 0) return 'vm16';
  return cpu.codeIs32 === 1 ? 'prot32' : 'prot16';
}

/** Tracepoints that become lines. */
export class KvmTracePrinter implements KvmTracepoints {
  readonly #events: ReadonlySet<TraceEvent>;
  readonly #machine: TracedMachine;
  readonly #names: PortNames;
  readonly #sink: LineSink;
  readonly #code: CodeText;
  readonly #portText = new Map<number, string>();
  /** The instruction of the latest I/O exit: the emulator moves RIP on before it leaves to userspace. */
  #ioInsn: string | null = null;
  readonly #exits = new TextMemo();
  readonly #accesses = new TextMemo();
  readonly #head: LineHead;

  constructor(machine: TracedMachine, names: PortNames, events: ReadonlySet<TraceEvent>, sink: LineSink) {
    this.#machine = machine;
    this.#names = names;
    this.#events = events;
    this.#sink = sink;
    this.#code = new CodeText(machine.cpu);
    this.#head = new LineHead(machine.clock, machine.cpu);
  }

  kvm_pio(write: boolean, port: number, size: number, count: number, val: number): void {
    if (!this.#events.has('kvm_pio')) return;
    const insn = this.#insn();
    const how = (count * 8 + size) * 2 + (write ? 1 : 0);
    const known = this.#accesses.get(val, port, how, 0, insn);
    if (known.length !== 0) {
      this.#put(known);
      return;
    }
    const note = write && size === 1 ? portNote(this.#names.deviceOf(port), port, val) : '';
    const extra = insn + this.#port(port) + (note === '' ? '' : `: ${note}`);
    const text = `kvm_pio: ${printKvmPio(write, port, size, count, val)} | ${extra}\n`;
    this.#put(this.#accesses.set(val, port, how, 0, insn, text));
  }

  kvm_exit(exitReason: number, rip: number, info1: number, info2: number): void {
    const isIo = exitReason === EXIT_REASON_IO_INSTRUCTION;
    if (!isIo && !this.#events.has('kvm_exit')) return;
    const insn = this.#insn();
    if (isIo) this.#ioInsn = insn;
    if (!this.#events.has('kvm_exit')) return;
    const known = this.#exits.get(rip, exitReason, info1, info2, insn);
    if (known.length !== 0) {
      this.#put(known);
      return;
    }
    const port = isIo ? this.#port(ioQualPort(info1)) : '';
    const text = `kvm_exit: ${printKvmExit(exitReason, rip, info1, info2)} | ${insn}${port}\n`;
    this.#put(this.#exits.set(rip, exitReason, info1, info2, insn, text));
  }

  kvm_entry(rip: number): void {
    if (this.#events.has('kvm_entry')) this.#line('kvm_entry: ', printKvmEntry(rip), '');
  }

  kvm_userspace_exit(reason: number, errno: number): void {
    if (!this.#events.has('kvm_userspace_exit')) return;
    const isIo = errno >= 0 && reason === KVM_EXIT_IO;
    this.#line(
      'kvm_userspace_exit: ',
      printKvmUserspaceExit(reason, errno),
      isIo ? (this.#ioInsn ?? this.#insn()) : '',
    );
  }

  kvm_emulate_insn(csBase: number, rip: number, bytes: Uint8Array, failed: boolean): void {
    if (!this.#events.has('kvm_emulate_insn')) return;
    const text = printKvmEmulateInsn(csBase, rip, bytes, emulMode(this.#machine.cpu), failed);
    this.#line('kvm_emulate_insn: ', text, this.#insn());
  }

  kvm_inj_exception(vector: number, hasErrorCode: boolean, errorCode: number): void {
    if (!this.#events.has('kvm_inj_exception')) return;
    this.#line('kvm_inj_exception: ', printKvmInjException(vector, hasErrorCode, errorCode), this.#insn());
  }

  kvm_inj_virq(vector: number): void {
    if (this.#events.has('kvm_inj_virq')) this.#line('kvm_inj_virq: ', printKvmInjVirq(vector), '');
  }

  kvm_set_irq(gsi: number, level: number, sourceId: number): void {
    if (!this.#events.has('kvm_set_irq')) return;
    this.#line('kvm_set_irq: ', printKvmSetIrq(gsi, level, sourceId), '');
  }

  kvm_pic_set_irq(chip: number, pin: number, elcr: number, imr: number, coalesced: boolean): void {
    if (!this.#events.has('kvm_pic_set_irq')) return;
    this.#line('kvm_pic_set_irq: ', printKvmPicSetIrq(chip, pin, elcr, imr, coalesced), '');
  }

  kvm_ioapic_set_irq(low: number, high: number, pin: number, coalesced: boolean): void {
    if (!this.#events.has('kvm_ioapic_set_irq')) return;
    this.#line('kvm_ioapic_set_irq: ', printKvmIoapicSetIrq(low, high, pin, coalesced), '');
  }

  kvm_ioapic_delayed_eoi_inj(low: number, high: number): void {
    if (!this.#events.has('kvm_ioapic_delayed_eoi_inj')) return;
    this.#line('kvm_ioapic_delayed_eoi_inj: ', printKvmIoapicDelayedEoiInj(low, high), '');
  }

  kvm_ack_irq(irqchip: number, pin: number): void {
    if (this.#events.has('kvm_ack_irq')) this.#line('kvm_ack_irq: ', printKvmAckIrq(irqchip, pin), '');
  }

  kvm_apic(isWrite: boolean, reg: number, val: number): void {
    if (this.#events.has('kvm_apic')) this.#line('kvm_apic: ', printKvmApic(isWrite, reg, val), this.#insn());
  }

  kvm_apic_ipi(icrLow: number, destId: number): void {
    if (this.#events.has('kvm_apic_ipi')) this.#line('kvm_apic_ipi: ', printKvmApicIpi(icrLow, destId), '');
  }

  kvm_apic_accept_irq(apicid: number, deliveryMode: number, trigMode: number, vector: number): void {
    if (!this.#events.has('kvm_apic_accept_irq')) return;
    const text = printKvmApicAcceptIrq(apicid, deliveryMode, trigMode, vector);
    this.#line('kvm_apic_accept_irq: ', text, '');
  }

  kvm_eoi(apicid: number, vector: number): void {
    if (this.#events.has('kvm_eoi')) this.#line('kvm_eoi: ', printKvmEoi(apicid, vector), '');
  }

  kvm_msi_set_irq(address: number, data: number): void {
    if (!this.#events.has('kvm_msi_set_irq')) return;
    this.#line('kvm_msi_set_irq: ', printKvmMsiSetIrq(address, data), '');
  }

  #put(text: Uint8Array): void {
    this.#sink.writeLine(this.#head.current(), text);
  }

  #line(event: string, text: string, extra: string): void {
    this.#put(encodeText(`${event}${text}${extra === '' ? '' : ` | ${extra}`}\n`));
  }

  #insn(): string {
    return this.#code.current();
  }

  /** ` ; timer0 (i8254)` */
  #port(port: number): string {
    let text = this.#portText.get(port);
    if (text === undefined) {
      const name = this.#names.nameOf(port);
      const device = this.#names.deviceOf(port);
      text = ` ; ${name ?? `port 0x${port.toString(16)}`}${device === null ? ' (unclaimed)' : ` (${device})`}`;
      this.#portText.set(port, text);
    }
    return text;
  }
}
