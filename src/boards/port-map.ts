/**
 * A board's port map, put together from the table of its own ports and from what stands on the kernel's bus.
 */
import type { IoDevice } from '../bus/io-device.ts';
import type { Vm } from '../kvm/vm.ts';
import { KVM_PIO_BUS } from '../uapi/kvm.ts';
import type { PortRange } from './board.ts';
import { KERNEL_PORT_LABELS, PORT_TABLE } from './port-table.ts';
import type { PortAssignment } from './user-bus.ts';

/** A board's own ports: for its bus, and for people. */
export interface OwnPorts {
  readonly assignments: readonly PortAssignment[];
  readonly ranges: readonly PortRange[];
}

/** The rows of the table whose device the board has. */
export function ownPorts(devices: ReadonlyMap<string, IoDevice>): OwnPorts {
  const assignments: PortAssignment[] = [];
  const ranges: PortRange[] = [];
  for (const row of PORT_TABLE) {
    const device = devices.get(row.device);
    if (device === undefined) continue;
    assignments.push({ base: row.base, len: row.len, device });
    ranges.push(row);
  }
  return { assignments, ranges };
}

/** The devices on the kernel's port bus. */
export function kernelPorts(vm: Vm): PortRange[] {
  const { addr, len, dev } = vm.buses[KVM_PIO_BUS].range;
  return dev.map((device, i) => {
    const known = KERNEL_PORT_LABELS[device.ops ?? ''];
    return {
      base: addr[i],
      len: known?.len ?? len[i],
      label: known?.label ?? device.name,
      device: device.name,
    };
  });
}
