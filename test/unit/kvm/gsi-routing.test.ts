import { describe, expect, it } from 'vitest';
import { Kvm } from '../../../src/kvm/kvm.ts';
import type { Vm } from '../../../src/kvm/vm.ts';
import { EFAULT, EINVAL, ENXIO } from '../../../src/uapi/errno.ts';
import {
  KVM_IRQ_ROUTING_MSI,
  KVM_IRQCHIP_IOAPIC,
  KVM_IRQCHIP_PIC_MASTER,
  KVM_IRQCHIP_PIC_SLAVE,
  type KvmIrqRoutingEntry,
  type KvmReinjectControl,
} from '../../../src/uapi/kvm.ts';
import { TraceLog } from './real-machine.ts';

function vmWithIrqchip(): { vm: Vm; trace: TraceLog } {
  const vm = new Kvm().createVm();
  vm.createIrqchip();
  const trace = new TraceLog();
  vm.setTracepoints(trace);
  return { vm, trace };
}

describe('KVM_SET_GSI_ROUTING', () => {
  it('replaces the table: lines lead to the new pins, in the order of the list, and to those alone', () => {
    const { vm, trace } = vmWithIrqchip();
    const table = [
      { gsi: 0, irqchip: KVM_IRQCHIP_PIC_MASTER, pin: 0 },
      { gsi: 0, irqchip: KVM_IRQCHIP_IOAPIC, pin: 2 },
      { gsi: 300, irqchip: KVM_IRQCHIP_PIC_SLAVE, pin: 1 },
    ];
    expect(vm.setGsiRouting(table)).toBe(0);
    vm.irqLine(0, 1);
    vm.irqLine(300, 1);
    expect(vm.irqLine(5, 1)).toBe(-1);
    expect(trace.lines).toEqual([
      'set_irq 0 1 0',
      'pic_set_irq 0 0',
      'ioapic_set_irq 2 10000',
      'set_irq 300 1 0',
      'pic_set_irq 1 1',
      'set_irq 5 1 0',
    ]);
  });

  it('takes an empty table', () => {
    const { vm } = vmWithIrqchip();
    expect(vm.setGsiRouting([])).toBe(0);
    expect(vm.irqLine(4, 1)).toBe(-1);
  });

  it('leads a message to the local APICs, where there are any', () => {
    const { vm } = vmWithIrqchip();
    const { routing } = vm;
    if (routing === null) throw new Error('no routing');
    const msi = { address_lo: 0xfee0_1000, address_hi: 0, data: 0x41 };
    const table = [{ gsi: 24, irqchip: 0, pin: 0, type: KVM_IRQ_ROUTING_MSI, msi }];
    const sent: unknown[] = [];
    routing.deliverMsi = (message) => {
      sent.push(message);
      return 1;
    };
    expect(vm.setGsiRouting(table)).toBe(0);
    expect([vm.irqLine(24, 1), vm.irqLine(24, 0)]).toEqual([1, -1]);
    expect(sent).toEqual([msi]);
    expect(vm.setGsiRouting([...table, { gsi: 24, irqchip: 0, pin: 0 }])).toBe(-EINVAL);
    routing.deliverMsi = null;
    expect(vm.setGsiRouting(table)).toBe(-EINVAL);
  });

  const entry = { gsi: 0, irqchip: 0, pin: 0 };
  it.each([
    ['a pin that the chip has not', [{ ...entry, pin: 8 }]],
    ['a chip that there is not', [{ ...entry, irqchip: 3 }]],
    ['a GSI past the last', [{ ...entry, gsi: 4096 }]],
    ['a GSI that is no number', [{ ...entry, gsi: 'x' }]],
    ['a flag', [{ ...entry, flags: 1 }]],
    ['an unknown type', [{ ...entry, type: 9 }]],
    ['a message without its fields', [{ ...entry, type: KVM_IRQ_ROUTING_MSI, msi: null }]],
    ['one chip twice on a GSI', [entry, { ...entry, pin: 1 }]],
    ['too many entries', Array.from({ length: 4097 }, (_, gsi) => ({ ...entry, gsi: gsi % 4096 }))],
    ['a hole', new Array(2)],
    ['null for an entry', [null]],
    ['no list', 7],
    ['nothing', undefined],
  ])('is EINVAL for %s, and keeps the old table', (_name, table) => {
    const { vm } = vmWithIrqchip();
    expect(vm.setGsiRouting(table as unknown as KvmIrqRoutingEntry[])).toBe(-EINVAL);
    expect(vm.irqLine(4, 1)).toBe(1);
  });

  it('is EINVAL without an in-kernel irqchip', () => {
    expect(new Kvm().createVm().setGsiRouting([])).toBe(-EINVAL);
  });
});

describe('KVM_REINJECT_CONTROL', () => {
  it('turns the reinjection of missed ticks off and on', () => {
    const { vm } = vmWithIrqchip();
    expect(vm.reinjectControl({ pit_reinject: 0 })).toBe(-ENXIO);
    vm.createPit2({ flags: 0 });
    expect(vm.pit?.reinject).toBe(true);
    expect(vm.reinjectControl({ pit_reinject: 0 })).toBe(0);
    expect(vm.pit?.reinject).toBe(false);
    expect(vm.reinjectControl({ pit_reinject: 0xff })).toBe(0);
    expect(vm.pit?.reinject).toBe(true);
    expect(vm.reinjectControl(null as unknown as KvmReinjectControl)).toBe(-EFAULT);
  });
});
