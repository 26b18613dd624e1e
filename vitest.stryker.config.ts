/** The tests that Stryker runs for each mutant (docs/mutation.md): those of the port I/O path that take a moment. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: [
      'test/unit/{bus,emulate,vmx}/**/*.test.ts',
      'test/unit/kvm/{coalesced-mmio,guest-debug,ioeventfd,mmio-exits,pio-batches,vcpu-run}.test.ts',
      'test/unit/devices/kernel-device-laws.test.ts',
      'test/regressions/*.test.ts',
      'test/unit/cpu/{io-permission,system}.test.ts',
      'test/fuzz/{io-encodings,string-io}.test.ts',
    ],
    testTimeout: 60_000,
  },
});
