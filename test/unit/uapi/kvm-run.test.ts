import { describe, expect, it } from 'vitest';
import { errnoName } from '../../../src/uapi/errno.ts';
import { KVM_VCPU_MMAP_SIZE } from '../../../src/uapi/kvm.ts';
import { KvmRun } from '../../../src/uapi/kvm-run.ts';

describe('kvm_run', () => {
  const bytesAt = (run: KvmRun, at: number, len: number): number[] => [
    ...new Uint8Array(run.buffer, at, len),
  ];

  it('is the three pages of a vCPU mapping, with the I/O data in the second', () => {
    const run = new KvmRun();
    expect(run.buffer.byteLength).toBe(KVM_VCPU_MMAP_SIZE);
    expect(run.pioData.byteOffset).toBe(4096);
    expect(run.pioData.length).toBe(4096);
  });

  it('keeps the common fields at the kernel’s offsets', () => {
    const run = new KvmRun();
    run.request_interrupt_window = 1;
    run.immediate_exit = 2;
    run.exit_reason = 0x04030201;
    run.ready_for_interrupt_injection = 5;
    run.if_flag = 6;
    run.flags = 0x0807;
    expect(bytesAt(run, 0, 16)).toEqual([1, 2, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect([run.request_interrupt_window, run.immediate_exit, run.exit_reason]).toEqual([1, 2, 0x04030201]);
    expect([run.ready_for_interrupt_injection, run.if_flag, run.flags]).toEqual([5, 6, 0x0807]);
  });

  it('keeps io at the kernel’s offsets', () => {
    const { io, ...run } = new KvmRun();
    io.direction = 1;
    io.size = 4;
    io.port = 0xfedc;
    io.count = 0x01020304;
    io.data_offset = 0x12_3456_789a;
    expect([...new Uint8Array(run.buffer, 32, 16)]).toEqual([
      1, 4, 0xdc, 0xfe, 4, 3, 2, 1, 0x9a, 0x78, 0x56, 0x34, 0x12, 0, 0, 0,
    ]);
    expect([io.direction, io.size, io.port, io.count]).toEqual([1, 4, 0xfedc, 0x01020304]);
    expect(io.data_offset).toBe(0x12_3456_789a);
  });

  it('keeps mmio at the kernel’s offsets', () => {
    const { mmio, ...run } = new KvmRun();
    mmio.phys_addr = 0xfec0_0010;
    mmio.data.set([1, 2, 3, 4, 5, 6, 7, 8]);
    mmio.len = 8;
    mmio.is_write = 1;
    expect([...new Uint8Array(run.buffer, 32, 21)]).toEqual([
      0x10, 0, 0xc0, 0xfe, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 0, 0, 0, 1,
    ]);
    expect([mmio.phys_addr, mmio.len, mmio.is_write]).toEqual([0xfec0_0010, 8, 1]);
  });

  it('keeps internal at the kernel’s offsets', () => {
    const { internal, ...run } = new KvmRun();
    internal.suberror = 1;
    internal.ndata = 2;
    internal.setData(1, 0xabcd);
    expect([...new Uint8Array(run.buffer, 32, 18)]).toEqual([
      1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xcd, 0xab,
    ]);
    expect([internal.suberror, internal.ndata, internal.getData(1)]).toEqual([1, 2, 0xabcd]);
  });
});

describe('errnoName', () => {
  it('names a negative result', () => {
    expect([errnoName(-17), errnoName(-4), errnoName(28), errnoName(-999)]).toEqual([
      'EEXIST',
      'EINTR',
      'ENOSPC',
      '-999',
    ]);
  });
});
