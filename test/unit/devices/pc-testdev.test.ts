import { describe, expect, it } from 'vitest';
import { IO_NOT_HANDLED } from '../../../src/bus/io-device.ts';
import { FW_CFG_PORT, FwCfg } from '../../../src/devices/fw-cfg.ts';
import { PcTestdev, TESTDEV_IO_PORT, TESTDEV_IRQ_PORT } from '../../../src/devices/pc-testdev.ts';
import {
  PcTestdevIomem,
  TESTDEV_IOMEM_BASE,
  TESTDEV_IOMEM_LEN,
} from '../../../src/devices/pc-testdev-iomem.ts';

function testdev() {
  const levels: [number, number][] = [];
  const lines = Array.from({ length: 24 }, (_, gsi) => ({
    set: (level: 0 | 1) => levels.push([gsi, level]),
  }));
  return { device: new PcTestdev(lines), levels };
}

describe('PcTestdev', () => {
  it('keeps each byte of its doubleword at its port', () => {
    const { device } = testdev();
    expect(device.write(TESTDEV_IO_PORT, 4, 0x89abcdef)).toBe(true);
    device.write(TESTDEV_IO_PORT + 1, 1, 0x12);
    device.write(TESTDEV_IO_PORT + 2, 2, 0xfedc);
    expect(device.read(TESTDEV_IO_PORT, 4)).toBe(0xfedc12ef);
    expect(device.read(TESTDEV_IO_PORT + 2, 2)).toBe(0xfedc);
    const copy = testdev().device;
    copy.loadState(device.saveState());
    expect(copy.read(TESTDEV_IO_PORT, 4)).toBe(0xfedc12ef);
    device.reset();
    expect(device.read(TESTDEV_IO_PORT, 4)).toBe(0);
  });

  it('declines an access that runs past the doubleword, without effect', () => {
    const { device } = testdev();
    expect(device.write(TESTDEV_IO_PORT + 3, 2, 0xffff)).toBe(false);
    expect(device.read(TESTDEV_IO_PORT + 1, 4)).toBe(IO_NOT_HANDLED);
    expect(device.read(TESTDEV_IO_PORT, 4)).toBe(0);
  });

  it('drives the wire of each interrupt port', () => {
    const { device, levels } = testdev();
    device.write(TESTDEV_IRQ_PORT + 5, 1, 1);
    device.write(TESTDEV_IRQ_PORT + 23, 4, 0x100);
    device.write(TESTDEV_IRQ_PORT + 5, 1, 0);
    expect(levels).toEqual([
      [5, 1],
      [23, 1],
      [5, 0],
    ]);
  });
});

describe('PcTestdevIomem', () => {
  it('is memory to 1, 2 and 4 bytes, up to its end', () => {
    const memory = new PcTestdevIomem();
    expect(memory.write(TESTDEV_IOMEM_BASE + 3, 4, 0x89abcdef)).toBe(true);
    expect(memory.read(TESTDEV_IOMEM_BASE + 4, 2)).toBe(0xabcd);
    expect(memory.read(TESTDEV_IOMEM_BASE + TESTDEV_IOMEM_LEN - 1, 2)).toBe(IO_NOT_HANDLED);
    expect(memory.write(TESTDEV_IOMEM_BASE + TESTDEV_IOMEM_LEN - 1, 2, 1)).toBe(false);
    const copy = new PcTestdevIomem();
    copy.loadState(memory.saveState());
    memory.reset();
    expect([copy.read(TESTDEV_IOMEM_BASE + 3, 4), memory.read(TESTDEV_IOMEM_BASE + 3, 4)]).toEqual([
      0x89abcdef, 0,
    ]);
  });
});

describe('FwCfg', () => {
  const read = (device: FwCfg, selector: number, bytes: number) => {
    device.write(FW_CFG_PORT, 2, selector);
    return Array.from({ length: bytes }, () => device.read(FW_CFG_PORT + 1, 1));
  };

  it('gives the signature, the size of memory and one CPU, and zeros behind each and for the rest', () => {
    const device = new FwCfg(0x1234_5000);
    expect(String.fromCharCode(...read(device, 0, 4))).toBe('QEMU');
    expect(read(device, 3, 9)).toEqual([0x00, 0x50, 0x34, 0x12, 0, 0, 0, 0, 0]);
    expect(read(device, 5, 2)).toEqual([1, 0]);
    expect(read(device, 0x4242, 2)).toEqual([0, 0]);
  });

  it('declines other widths, and goes on where a saved state stood', () => {
    const device = new FwCfg(0x10_0000);
    expect([device.write(FW_CFG_PORT, 1, 3), device.read(FW_CFG_PORT + 1, 2)]).toEqual([
      false,
      IO_NOT_HANDLED,
    ]);
    read(device, 0, 2);
    const copy = new FwCfg(0x10_0000);
    copy.loadState(device.saveState());
    expect(String.fromCharCode(copy.read(FW_CFG_PORT + 1, 1))).toBe('M');
  });
});
