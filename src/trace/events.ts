/**
 * Which of KVM's tracepoints a trace shows, chosen as in `perf record -e`: names, globs, `all`.
 */
import type { KvmTracepoints } from '../emulate/kvm-vcpu.ts';
import { EmulatorError } from '../errors.ts';

/** Name of a tracepoint. */
export type TraceEvent = keyof KvmTracepoints;

/** All tracepoints, in the order of an access's life. */
export const TRACE_EVENTS: readonly TraceEvent[] = [
  'kvm_entry',
  'kvm_exit',
  'kvm_emulate_insn',
  'kvm_pio',
  'kvm_userspace_exit',
  'kvm_set_irq',
  'kvm_pic_set_irq',
  'kvm_ioapic_set_irq',
  'kvm_ioapic_delayed_eoi_inj',
  'kvm_msi_set_irq',
  'kvm_apic',
  'kvm_apic_ipi',
  'kvm_apic_accept_irq',
  'kvm_eoi',
  'kvm_ack_irq',
  'kvm_inj_virq',
  'kvm_inj_exception',
];

/** What `--trace` shows when it names no events. */
export const DEFAULT_TRACE_EVENTS: readonly TraceEvent[] = ['kvm_exit', 'kvm_pio', 'kvm_userspace_exit'];

function globToRegExp(glob: string): RegExp {
  const pattern = glob
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.');
  return new RegExp(`^${pattern}$`);
}

/**
 * Parses a comma list of names and globs; `all` is every event, an empty text the default set. A leading `kvm:` (as
 * perf and bpftrace write it) is allowed.
 *
 * @throws EmulatorError `E_ARGUMENT` for a name that matches nothing.
 */
export function parseTraceEvents(text: string): Set<TraceEvent> {
  const chosen = new Set<TraceEvent>();
  if (text === '') return new Set(DEFAULT_TRACE_EVENTS);
  for (const part of text.split(',')) {
    const name = part.trim().replace(/^kvm:/, '');
    const pattern = name === 'all' ? /^/ : globToRegExp(name);
    const matches = TRACE_EVENTS.filter((event) => pattern.test(event));
    if (matches.length === 0) {
      throw new EmulatorError(
        'E_ARGUMENT',
        `trace: no event is called '${name}'; there are ${TRACE_EVENTS.join(', ')}, and all`,
      );
    }
    for (const event of matches) chosen.add(event);
  }
  return chosen;
}
