/**
 * Whether the reference model's program may use a port: IOPL, and the I/O permission bit map in the TSS.
 *
 * Intel SDM vol. 1, “I/O Privilege Level”, “I/O Permission Bit Map”. KVM (`emulator_io_port_access_allowed`): its emulator wants
 * only the first of the two bytes within the limit, and a page fault on the way there means no.
 */
import { TSS_BASE, TSS_IO_MAP_BASE } from './case-layout.ts';
import type { ReferenceMemory } from './reference-memory.ts';
import type { ReferenceState } from './reference-state.ts';

const IOPL_SHIFT = 12;
/** Limit of the smallest 32-bit TSS. */
const TSS_MIN_LIMIT = 103;

/** A port may be used, may not, or the processor met a page fault on its way to the bit map. */
export type PortPermission = 'yes' | 'no' | 'page-fault';

/** @param isForced KVM's emulator asks, not the processor. */
export function portPermission(
  { mode, cpl, eflags }: ReferenceState,
  memory: ReferenceMemory,
  tssLimit: number,
  isForced: boolean,
  port: number,
  size: number,
): PortPermission {
  if (mode === 'real') return 'yes';
  if (mode !== 'v86' && cpl <= ((eflags >>> IOPL_SHIFT) & 3)) return 'yes';
  if (tssLimit < TSS_MIN_LIMIT) return 'no';
  const onFault = isForced ? 'no' : 'page-fault';
  // The processor's own accesses are the supervisor's.
  const base = memory.read(TSS_BASE + TSS_IO_MAP_BASE, 2, false);
  if (base < 0) return onFault;
  const offset = base + (port >>> 3);
  if ((isForced ? offset : offset + 1) > tssLimit) return 'no';
  const bits = memory.read(TSS_BASE + offset, 2, false);
  if (bits < 0) return onFault;
  for (let i = 0; i < size; i++) if ((bits & (1 << ((port & 7) + i))) !== 0) return 'no';
  return 'yes';
}
