/**
 * `Vm.snapshot()` and `Vm.restore()`: a machine as it was, for fuzzers and time travel. KVM has no such call; a VMM puts
 * one together from the GET and SET ioctls. Here it is exact: running on from a restore is the same as the first time, to
 * the tick.
 *
 * State: registers, segments, flags, events that wait, exit information, TSC, `kvm_run` and its pages, an access that waits
 * for userspace, statistics; time and alarms; in-kernel devices, GSI routing; memory and its dirty log. Not state, and left
 * as it is: what the embedder has set up (slots, bus registrations, ioeventfds, probes, tracepoints, `tickLimit`,
 * `forceEmulation` …) and what lies outside (bytes a serial line has sent, eventfd counters).
 *
 * Memory is not copied: see cpu/memory-versions.ts. Memory that the host has written other than through
 * `GuestMemory.write` since the snapshot is not put back.
 */
import type { ClockState } from '../bus/clock.ts';
import type { Cpu } from '../cpu/cpu.ts';
import type { CpuModelName } from '../cpu/cpu-model.ts';
import { setDirtyBits } from '../cpu/dirty-log.ts';
import type { GuestMemory } from '../cpu/memory.ts';
import { type MemoryVersion, MemoryVersions } from '../cpu/memory-versions.ts';
import { EmulatorError } from '../errors.ts';
import { checkParts, type FieldSpec, type FieldsState, loadFields, saveFields } from './state-fields.ts';
import type { Vcpu } from './vcpu.ts';
import type { Vm } from './vm.ts';

/** What the fields of `Cpu` are: see state-fields.ts. */
export const CPU_FIELDS: FieldSpec = {
  wiring: [
    ...['mem', 'cache', 'window', 'tlbs', 'space', 'tlb', 'runner', 'mmio', 'ioIntercept', 'model'],
    ...['inlineIo', 'shortIo', 'generator'],
    // Good for one instruction or one entry only.
    ...['budgetLeft', 'startBudget', 'segmentStart', 'segmentLeft', 'inlineTicks'],
  ],
  references: ['exitInsn'],
  records: ['debug', 'ioRefusal'],
};

/** What the fields of `Vcpu` are. */
export const VCPU_FIELDS: FieldSpec = {
  wiring: [
    ...[
      'kvm',
      'cpu',
      'fn',
      'mmio',
      'inlinePio',
      'lapicDev',
      'msrs',
      'userspace',
      'userspaceMmio',
      'observed',
    ],
    // What the embedder has set.
    ...['id', 'isClosed', 'quirks', 'forceEmulation', 'maxInsBatch', 'tickLimit', 'stopRequested'],
  ],
  references: ['cpuidEntries'],
  records: ['stat', 'pio', 'ctxt', 'mmioRequest', 'events'],
};

/** What the fields of `Vm` are. */
export const VM_FIELDS: FieldSpec = {
  wiring: ['memory', 'buses', 'fn', 'creationFn', 'vcpus', 'clock', 'events', 'apics', 'cpuModel', 'jit'],
  references: [],
  records: [],
};

/** One processor. */
interface VcpuSnapshot {
  readonly id: number;
  readonly vcpu: FieldsState;
  readonly cpu: FieldsState;
  readonly a20Mask: number;
}

/** A machine as it was. Made by {@link takeSnapshot}; good for any number of restores. */
export interface VmSnapshot {
  readonly ips: number;
  /** The processor model. */
  readonly cpu: CpuModelName;
  readonly clock: ClockState;
  readonly vm: FieldsState;
  readonly vcpus: readonly VcpuSnapshot[];
  readonly memory: MemoryVersion;
  /** By position of the slot; null for one that was not logged. */
  readonly dirtyLogs: readonly (Uint8Array | null)[];
}

/** Takes a snapshot between two runs. Costs the pages that were written since the last one. */
export function takeSnapshot(vm: Vm): VmSnapshot {
  // A restored processor begins without translations: so does this one, or the two would differ over a stale one.
  for (const { cpu } of vm.vcpus) dropDerivedState(cpu, cpu.a20Mask);
  return {
    ips: vm.clock.ips,
    cpu: vm.cpuModel.name,
    clock: vm.clock.saveState(),
    vm: saveFields(vm, VM_FIELDS),
    vcpus: vm.vcpus.map((vcpu) => ({
      id: vcpu.id,
      vcpu: saveFields(vcpu, VCPU_FIELDS),
      cpu: saveFields(vcpu.cpu, CPU_FIELDS),
      a20Mask: vcpu.cpu.a20Mask,
    })),
    memory: MemoryVersions.of(vm.memory).take(),
    dirtyLogs: vm.memory.slots.map(({ dirtyBitmap }) => dirtyBitmap?.slice() ?? null),
  };
}

/** Puts a snapshot back. @throws EmulatorError for a machine of another shape, see `Vm.restore`. */
export function restoreSnapshot(vm: Vm, snapshot: VmSnapshot): void {
  checkShape(vm, snapshot);
  // First the memory, because it can refuse; then the time, which devices look at.
  MemoryVersions.of(vm.memory).restore(snapshot.memory);
  restoreDirtyLogs(vm.memory, snapshot.dirtyLogs);
  vm.clock.loadState(snapshot.clock);
  loadFields(vm, snapshot.vm);
  for (let i = 0; i < snapshot.vcpus.length; i++) restoreVcpu(vm.vcpus[i], snapshot.vcpus[i]);
  // Devices set their alarms as they load; what each had set is known exactly.
  vm.clock.loadState(snapshot.clock);
}

function restoreVcpu(vcpu: Vcpu, snapshot: VcpuSnapshot): void {
  loadFields(vcpu, snapshot.vcpu);
  loadFields(vcpu.cpu, snapshot.cpu);
  dropDerivedState(vcpu.cpu, snapshot.a20Mask);
}

/** Forgets what the processor has worked out from registers and memory; a new A20 mask does so with its translations. */
function dropDerivedState(cpu: Cpu, a20Mask: number): void {
  cpu.a20Mask = a20Mask;
  cpu.selectTlb();
  cpu.debug.update(cpu);
  cpu.window.len = 0;
  cpu.raiseAttention();
}

function restoreDirtyLogs(memory: GuestMemory, logs: readonly (Uint8Array | null)[]): void {
  for (let i = 0; i < logs.length; i++) {
    const log = logs[i];
    // A log that was begun or ended since stays begun or ended: that is a setting.
    if (log !== null) setDirtyBits(memory, memory.slots[i], log);
  }
}

function checkShape(vm: Vm, snapshot: VmSnapshot): void {
  if (vm.clock.ips !== snapshot.ips) {
    throw new EmulatorError(
      'E_ARGUMENT',
      `snapshot: its machine runs ${snapshot.ips} ticks a second, this one ${vm.clock.ips}`,
    );
  }
  if (vm.cpuModel.name !== snapshot.cpu) {
    throw new EmulatorError(
      'E_ARGUMENT',
      `snapshot: its processor is a ${snapshot.cpu}, the machine's is a ${vm.cpuModel.name}`,
    );
  }
  const ids = vm.vcpus.map((vcpu) => vcpu.id).join();
  const savedIds = snapshot.vcpus.map((vcpu) => vcpu.id).join();
  if (ids !== savedIds) {
    throw new EmulatorError('E_ARGUMENT', `snapshot: vCPUs are ${savedIds}, the machine's are ${ids}`);
  }
  checkParts('the machine', vm, snapshot.vm);
  for (const [i, vcpu] of vm.vcpus.entries()) checkParts(`vCPU ${vcpu.id}`, vcpu, snapshot.vcpus[i].vcpu);
}
