/** What a look-up on the port bus costs, by the devices that are on it, each asked in turn. */
import type { Benchmark } from '../benchmark.ts';

function lookup(devices: number): Benchmark {
  return {
    name: `lookup:${devices}`,
    group: 'bus',
    unit: 'lookups/s',
    better: 'more',
    about: `kvm_io_bus_write to ${devices.toLocaleString('en-US')} devices in turn, no guest`,
    isForPeers: false,
    hasGuest: false,
    async prepare(host) {
      return async () => {
        const result = await host.job({ kind: 'lookup', devices, seconds: host.options.seconds });
        return result.units / host.secondsOf(result);
      };
    },
  };
}

/** Buses of 5 to 1,000 devices. */
export const BUS_BENCHMARKS: readonly Benchmark[] = [5, 20, 100, 1000].map(lookup);
