/**
 * `struct kvm_ioeventfd`, `kvm_irqfd`, `kvm_coalesced_mmio_zone` (Linux: include/uapi/linux/kvm.h).
 */
import type { KvmCoalescedMmioZone, KvmIoeventfd, KvmIrqfd } from '../uapi/kvm.ts';
import { SIZEOF } from './ioctl-numbers.ts';
import { StructView } from './struct-view.ts';

export function packIoeventfd(args: Readonly<KvmIoeventfd>, fd: number): StructView {
  const view = new StructView(SIZEOF.kvm_ioeventfd);
  view.setU64(0, args.datamatch);
  view.setU64(8, args.addr);
  view.setU32(16, args.len);
  view.setU32(20, fd);
  view.setU32(24, args.flags);
  return view;
}

export function packIrqfd({ gsi, flags }: Readonly<KvmIrqfd>, fd: number, resamplefd: number): StructView {
  const view = new StructView(SIZEOF.kvm_irqfd);
  view.setU32(0, fd);
  view.setU32(4, gsi);
  view.setU32(8, flags);
  view.setU32(12, resamplefd);
  return view;
}

export function packCoalescedZone({ addr, size, pio }: Readonly<KvmCoalescedMmioZone>): StructView {
  const view = new StructView(SIZEOF.kvm_coalesced_mmio_zone);
  view.setU64(0, addr);
  view.setU32(8, size);
  view.setU32(12, pio);
  return view;
}
