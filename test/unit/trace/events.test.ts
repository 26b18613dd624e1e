import { describe, expect, it } from 'vitest';
import { DEFAULT_TRACE_EVENTS, parseTraceEvents, TRACE_EVENTS } from '../../../src/trace/events.ts';

describe('parseTraceEvents', () => {
  it('takes an empty text for the default events', () => {
    expect([...parseTraceEvents('')]).toEqual([...DEFAULT_TRACE_EVENTS]);
  });

  it('takes names, globs and perf spelling', () => {
    expect([...parseTraceEvents('kvm:kvm_pio, kvm_*_irq')].sort()).toEqual([
      'kvm_ack_irq',
      'kvm_apic_accept_irq',
      'kvm_ioapic_set_irq',
      'kvm_msi_set_irq',
      'kvm_pic_set_irq',
      'kvm_pio',
      'kvm_set_irq',
    ]);
    expect([...parseTraceEvents('kvm_e?it')]).toEqual(['kvm_exit']);
  });

  it('takes all', () => {
    expect([...parseTraceEvents('all')]).toEqual([...TRACE_EVENTS]);
  });

  it.each(['kvm_foo', 'kvm_pio,', 'kvm.pio'])('refuses %j and names the events', (text) => {
    expect(() => parseTraceEvents(text)).toThrow(/no event is called .* kvm_entry, kvm_exit, .* and all/);
  });
});
