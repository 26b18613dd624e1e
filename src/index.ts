/**
 * pio86: what happens when a guest executes IN, OUT, INS or OUTS?
 *
 * The public surface. Devices for boards of your own are in `pio86/devices`.
 */
export {
  type Board,
  type BoardEnd,
  type BoardOptions,
  type BoardSnapshot,
  DEFAULT_RTC_SECONDS,
  type PortRange,
  type UnclaimedPolicy,
} from './boards/board.ts';
export { createKvmBoard } from './boards/kvm.ts';
export { createPcBoard } from './boards/pc.ts';
export { kvmIoBusRegisterDev, kvmIoBusUnregisterDev } from './bus/io-bus.ts';
export { IO_NOT_HANDLED, IO_NOTHING_STORED, type IoDevice } from './bus/io-device.ts';
export type { ByteSink, IrqLine } from './bus/irq-line.ts';
export type { KvmTracepoints, UserspaceBus } from './emulate/kvm-vcpu.ts';
export { EmulatorError, type EmulatorErrorCode } from './errors.ts';
export type { KvmApi, VcpuApi, VmApi } from './kvm/api.ts';
export { Eventfd, type EventfdOptions } from './kvm/eventfd.ts';
export { type CpuModelName, Kvm } from './kvm/kvm.ts';
export { orThrow } from './kvm/or-throw.ts';
export type { VmSnapshot } from './kvm/snapshot.ts';
export type { Vcpu } from './kvm/vcpu.ts';
export type { Vm } from './kvm/vm.ts';
export { planImage } from './loaders/detect.ts';
export type { Image, ImageFormat } from './loaders/image.ts';
export { loadImage } from './loaders/load.ts';
export * from './uapi/errno.ts';
export * from './uapi/kvm.ts';
export {
  drainCoalescedRing,
  KVM_COALESCED_MMIO_MAX,
  type KvmCoalescedMmio,
  KvmCoalescedMmioRing,
} from './uapi/kvm-coalesced-ring.ts';
export { KvmRun } from './uapi/kvm-run.ts';
export * from './uapi/vmx.ts';
