/**
 * Take KVM_EXIT_IO yourself: KVM's API without a board, as a VMM over /dev/kvm would be written.
 *
 *     npm run build && npx tsx examples/take-kvm-exit-io.ts
 */
import { KVM_EXIT_HLT, KVM_EXIT_IO, KVM_EXIT_IO_OUT, Kvm, orThrow } from 'pio86';

// in al,0x60 / inc ax / out 0x80,al / mov cx,3 / mov di,0x2000 / mov dx,0x1f0 / rep insb / hlt
const program = [0xe4, 0x60, 0x40, 0xe6, 0x80, 0xb9, 3, 0, 0xbf, 0, 0x20, 0xba, 0xf0, 0x01, 0xf3, 0x6c, 0xf4];

const vm = new Kvm().createVm();
vm.setUserMemoryRegion({ slot: 0, flags: 0, guest_phys_addr: 0, memory_size: 0x10000 });
vm.memory.write(0x1000, Uint8Array.from(program));
const vcpu = orThrow(vm.createVcpu(0), 'KVM_CREATE_VCPU');
const sregs = vcpu.getSregs();
for (const s of [sregs.cs, sregs.ds, sregs.es, sregs.ss]) {
  s.selector = 0;
  s.base = 0;
}
vcpu.setSregs(sregs);
vcpu.setRegs({ ...vcpu.getRegs(), eip: 0x1000 });

const { run } = vcpu;
for (let exits = 0; exits < 10; exits++) {
  vcpu.kvmRun();
  if (run.exit_reason === KVM_EXIT_HLT) break;
  if (run.exit_reason !== KVM_EXIT_IO) throw new Error(`unexpected exit reason ${run.exit_reason}`);
  const { direction, size, port, count } = run.io;
  const data = run.pioData.subarray(0, size * count);
  if (direction === KVM_EXIT_IO_OUT) {
    console.log(
      `out 0x${port.toString(16)}: size ${size} count ${count} data ${Buffer.from(data).toString('hex')}`,
    );
  } else {
    // The guest sees what stands here at the next KVM_RUN.
    for (let i = 0; i < data.length; i++) data[i] = 0x41 + i;
    console.log(
      `in  0x${port.toString(16)}: size ${size} count ${count} answered ${Buffer.from(data).toString('hex')}`,
    );
  }
}
console.log(`memory at 0x2000: ${Buffer.from(vm.memory.read(0x2000, 3)).toString()}`);
