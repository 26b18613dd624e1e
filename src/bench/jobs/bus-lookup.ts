/** `kvm_io_bus_write` to each of many devices in turn: what a lookup costs, without a guest. */
import { KvmIoBus, kvmIoBusRegisterDev, kvmIoBusWrite } from '../../bus/io-bus.ts';
import { KVM_PIO_BUS } from '../../uapi/kvm.ts';
import { type JobResult, timed } from './job.ts';
import { SilentDevice } from './silent-device.ts';

const STRIDE = 32;
/** Divisible by 5, 20, 100 and 1000. */
const BATCH = 1_000_000;
const WARM_BATCHES = 10;

/** @param devices on the bus, each written to as often as the others. */
export function lookUp(devices: number, seconds: number): JobResult {
  const bus = new KvmIoBus(KVM_PIO_BUS);
  for (let i = 0; i < devices; i++) kvmIoBusRegisterDev(bus, i * STRIDE, 8, new SilentDevice());
  const batch = (): void => {
    for (let i = 0, at = 0; i < BATCH; i++) {
      kvmIoBusWrite(bus, at, 1, i & 0xff);
      at += STRIDE;
      if (at === devices * STRIDE) at = 0;
    }
  };
  for (let i = 0; i < WARM_BATCHES; i++) batch();
  const end = performance.now() + seconds * 1000;
  return timed(() => {
    let units = 0;
    do {
      batch();
      units += BATCH;
    } while (performance.now() < end);
    return units;
  });
}
