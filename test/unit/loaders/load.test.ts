import { describe, expect, it } from 'vitest';
import { createKvmBoard } from '../../../src/boards/kvm.ts';
import { PAGE_READ_ONLY } from '../../../src/cpu/memory.ts';
import { planImage } from '../../../src/loaders/detect.ts';
import type { ImageFormat } from '../../../src/loaders/image.ts';
import { loadImage } from '../../../src/loaders/load.ts';
import { planRaw } from '../../../src/loaders/raw.ts';

/** A machine with `memoryBytes` of RAM. */
function machineWith(memoryBytes: number) {
  return createKvmBoard({ memoryBytes });
}

const MIB = 0x10_0000;

function load(bytes: Uint8Array, format: ImageFormat, memoryBytes = 2 * MIB) {
  const machine = machineWith(memoryBytes);
  loadImage(machine, planImage({ name: 'guest', bytes }, format));
  return machine;
}

describe('loadImage', () => {
  it('puts a raw binary at 0x1000 with all data segments 0 and a stack below it', () => {
    const { vm, vcpu } = load(Uint8Array.of(0xf4, 0x90), 'raw');
    expect([...vm.memory.read(0x1000, 3)]).toEqual([0xf4, 0x90, 0]);
    const { cs, ds, es, ss } = vcpu.getSregs();
    expect([cs.selector, cs.base, ds.selector, es.base, ss.base]).toEqual([0, 0, 0, 0, 0]);
    expect(vcpu.getRegs()).toEqual({
      eax: 0,
      ebx: 0,
      ecx: 0,
      edx: 0,
      esi: 0,
      edi: 0,
      ebp: 0,
      esp: 0x1000,
      eip: 0x1000,
      eflags: 2,
    });
  });

  it('puts a boot sector and what follows it at 0x7c00, DL = 0x80', () => {
    const image = new Uint8Array(1024);
    image.set([0x55, 0xaa], 510);
    image[512] = 0x77;
    const { vm, vcpu } = load(image, 'boot');
    expect(vm.memory.readByte(0x7c00 + 510)).toBe(0x55);
    expect(vm.memory.readByte(0x7e00)).toBe(0x77);
    const { eip, edx, esp } = vcpu.getRegs();
    expect([vcpu.getSregs().cs.selector, eip, edx, esp]).toEqual([0, 0x7c00, 0x80, 0x7c00]);
  });

  it('maps a ROM below 1 MiB and below 4 GiB and leaves the reset state', () => {
    const rom = new Uint8Array(0x20000).fill(0x11);
    rom.set([0xea, 0x22], 0x20000 - 16);
    const { vm, vcpu } = load(rom, 'bios');
    for (const end of [MIB, 0x1_0000_0000]) {
      expect(vm.memory.readByte(end - 16)).toBe(0xea);
      expect(vm.memory.readByte(end - 0x20000)).toBe(0x11);
      expect(vm.memory.pageFlags[(end - 1) >>> 12] & PAGE_READ_ONLY).not.toBe(0);
      expect(vm.memory.pageFlags[(end - 0x20000) >>> 12] & PAGE_READ_ONLY).not.toBe(0);
    }
    expect(vm.memory.readByte(MIB - 0x20001)).toBe(0);
    expect(vm.memory.pageFlags[(MIB - 0x20001) >>> 12]).toBe(0);
    expect([vcpu.getSregs().cs.base, vcpu.getRegs().eip]).toEqual([0xffff0000, 0xfff0]);
  });

  it.each([0x10000, 0xf0000, 0xf8000])('maps a ROM below 1 MiB with 0x%x bytes of RAM', (memoryBytes) => {
    const rom = new Uint8Array(0x10000).map((_, at) => at >>> 8);
    const { vm } = load(rom, 'bios', memoryBytes);
    for (const at of [0, 0x7fff, 0x8000, 0xffff]) {
      expect(vm.memory.readByte(0xf0000 + at)).toBe(at >>> 8);
      expect(vm.memory.pageFlags[(0xf0000 + at) >>> 12] & PAGE_READ_ONLY).not.toBe(0);
    }
  });

  it('gives a .COM program its prefix, its segment and a way home', () => {
    const { vm, vcpu } = load(Uint8Array.of(0xc3), 'com');
    const { cs, ds, es, ss } = vcpu.getSregs();
    expect([cs, ds, es, ss].map((segment) => segment.base)).toEqual([0x1000, 0x1000, 0x1000, 0x1000]);
    const { eip, esp } = vcpu.getRegs();
    expect([eip, esp]).toEqual([0x100, 0xfffe]);
    expect([...vm.memory.read(0x1000, 2)]).toEqual([0xcd, 0x20]);
    expect([...vm.memory.read(0x1080, 2)]).toEqual([0, 0x0d]);
    expect(vm.memory.readByte(0x1100)).toBe(0xc3);
    expect([...vm.memory.read(0x10ffe, 2)]).toEqual([0, 0]);
    expect([...vm.memory.read(0x20 * 4, 8)]).toEqual([0, 0, 0x50, 0, 0x0b, 0, 0x50, 0]);
  });

  it('loads further bytes over the image', () => {
    const machine = machineWith(MIB);
    const image = planRaw({ name: 'a', bytes: Uint8Array.of(1, 2, 3) });
    loadImage(machine, image, [{ name: 'b', gpa: 0x1001, bytes: Uint8Array.of(9) }]);
    expect([...machine.vm.memory.read(0x1000, 3)]).toEqual([1, 9, 3]);
  });

  it.each([
    [0x10_0000, 1, 'E_ARGUMENT', /b: no memory at its load address 0x100000/],
    [
      0xf_ffff,
      2,
      'E_IMAGE_SIZE',
      /b: too large, 0x2 bytes at 0xfffff run past the end of memory at 0x100000/,
    ],
  ])('refuses bytes at 0x%x+%i and changes nothing', (gpa, length, code, message) => {
    const machine = machineWith(MIB);
    const image = planRaw({ name: 'a', bytes: Uint8Array.of(1, 2, 3) });
    const attempt = () => loadImage(machine, image, [{ name: 'b', gpa, bytes: new Uint8Array(length) }]);
    expect(attempt).toThrow(message);
    expect(attempt).toThrow(expect.objectContaining({ code }));
    expect(machine.vm.memory.readByte(0x1000)).toBe(0);
    expect(machine.vcpu.getRegs().eip).toBe(0xfff0);
  });
});
