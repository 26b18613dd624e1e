/**
 * KVM_IRQFD: an eventfd that raises an interrupt of the guest, and with a resamplefd one that hears of its end
 * (Linux: virt/kvm/eventfd.c, the first half; Documentation/virt/kvm/api.rst, KVM_IRQFD).
 *
 * KVM leaves the injection to a work queue; here it happens inside the signal, which no guest can tell from a queue that
 * is fast.
 */
import { KVM_MAX_IRQ_ROUTES } from '../devices/irq-routing.ts';
import { EBUSY, EFAULT, EINVAL } from '../uapi/errno.ts';
import {
  KVM_IRQFD_FLAG_DEASSIGN,
  KVM_IRQFD_FLAG_RESAMPLE,
  KVM_IRQFD_RESAMPLE_IRQ_SOURCE_ID,
  KVM_USERSPACE_IRQ_SOURCE_ID,
  type KvmIrqfd,
} from '../uapi/kvm.ts';
import { type Eventfd, eventfdCtxFdget } from './eventfd.ts';
import { isStruct, isU32 } from './ioctl-args.ts';
import type { KvmEvents, KvmKernelIrqfd, KvmKernelIrqfdResampler } from './kvm-events.ts';

/** @kvm irqfd_inject(work) virt/kvm/eventfd.c */
export function irqfdInject(irqfd: KvmKernelIrqfd): void {
  const { kvm, gsi, resampler } = irqfd;
  if (resampler !== null) {
    kvm.routing?.setIrq(KVM_IRQFD_RESAMPLE_IRQ_SOURCE_ID, gsi, 1);
    return;
  }
  kvm.routing?.setIrq(KVM_USERSPACE_IRQ_SOURCE_ID, gsi, 1);
  kvm.routing?.setIrq(KVM_USERSPACE_IRQ_SOURCE_ID, gsi, 0);
}

/**
 * The eventfd was signalled: its counter is taken, and nobody behind is woken.
 *
 * @kvm irqfd_wakeup(wait, mode, sync, key) virt/kvm/eventfd.c
 */
export function irqfdWakeup(irqfd: KvmKernelIrqfd): boolean {
  irqfd.eventfd.drain();
  irqfd.kvm.eventFn.irqfdInject(irqfd);
  return true;
}

/** Signals every resamplefd of a GSI. @kvm irqfd_resampler_notify(resampler) virt/kvm/eventfd.c */
export function irqfdResamplerNotify(resampler: KvmKernelIrqfdResampler): void {
  const { list } = resampler;
  for (let i = 0; i < list.length; i++) list[i].resamplefd?.signal();
}

/**
 * The interrupt has ended: the line goes down, once for all irqfds of the GSI, then they hear of it.
 *
 * @kvm irqfd_resampler_ack(kian) virt/kvm/eventfd.c
 */
export function irqfdResamplerAck(resampler: KvmKernelIrqfdResampler): void {
  const { kvm, gsi } = resampler;
  kvm.routing?.setIrq(KVM_IRQFD_RESAMPLE_IRQ_SOURCE_ID, gsi, 0);
  kvm.eventFn.irqfdResamplerNotify(resampler);
}

/**
 * A level-triggered pin is unmasked while it is up: those who resample its GSI look at their device again.
 *
 * @returns whether there are any.
 * @kvm kvm_notify_irqfd_resampler(kvm, irqchip, pin) virt/kvm/eventfd.c
 */
export function kvmNotifyIrqfdResampler(kvm: KvmEvents, irqchip: number, pin: number): boolean {
  const gsi = kvm.routing?.gsiOfPin(irqchip, pin) ?? -1;
  const resampler = gsi < 0 ? undefined : kvm.resamplers.find((r) => r.gsi === gsi);
  if (resampler === undefined) return false;
  kvm.eventFn.irqfdResamplerNotify(resampler);
  return true;
}

/** Joins the resampler of the irqfd's GSI, the first one as its founder. */
function joinResampler(irqfd: KvmKernelIrqfd): void {
  const { kvm, gsi } = irqfd;
  let resampler = kvm.resamplers.find((r) => r.gsi === gsi);
  if (resampler === undefined) {
    const created: KvmKernelIrqfdResampler = {
      kvm,
      gsi,
      list: [],
      notifier: () => kvm.eventFn.irqfdResamplerAck(created),
    };
    resampler = created;
    kvm.resamplers = [...kvm.resamplers, created];
    // KVM: a GSI that no routing can name is accepted; nothing ever comes from there.
    if (gsi < KVM_MAX_IRQ_ROUTES) kvm.routing?.registerIrqAckNotifier(gsi, created.notifier);
  }
  resampler.list = [...resampler.list, irqfd];
  irqfd.resampler = resampler;
}

/**
 * Leaves the resampler; the last one lowers the line.
 *
 * @kvm irqfd_resampler_shutdown(irqfd) virt/kvm/eventfd.c
 */
export function irqfdResamplerShutdown(irqfd: KvmKernelIrqfd): void {
  const { kvm, gsi, resampler } = irqfd;
  if (resampler === null) return;
  resampler.list = resampler.list.filter((i) => i !== irqfd);
  if (resampler.list.length > 0) return;
  kvm.resamplers = kvm.resamplers.filter((r) => r !== resampler);
  if (gsi < KVM_MAX_IRQ_ROUTES) kvm.routing?.unregisterIrqAckNotifier(gsi, resampler.notifier);
  kvm.routing?.setIrq(KVM_IRQFD_RESAMPLE_IRQ_SOURCE_ID, gsi, 0);
}

/**
 * Takes an irqfd apart. Its eventfd loses what it counts.
 *
 * @kvm irqfd_shutdown(work) virt/kvm/eventfd.c
 */
export function irqfdShutdown(irqfd: KvmKernelIrqfd): void {
  const { kvm } = irqfd;
  kvm.irqfds = kvm.irqfds.filter((i) => i !== irqfd);
  irqfd.eventfd.removeWaiter(irqfd.wait, irqfd.hangup);
  if (irqfd.resampler !== null) kvm.eventFn.irqfdResamplerShutdown(irqfd);
}

function createIrqfd(
  kvm: KvmEvents,
  gsi: number,
  eventfd: Eventfd,
  resamplefd: Eventfd | null,
): KvmKernelIrqfd {
  const irqfd: KvmKernelIrqfd = {
    kvm,
    eventfd,
    gsi,
    resampler: null,
    resamplefd,
    wait: () => kvm.eventFn.irqfdWakeup(irqfd),
    hangup: () => kvm.eventFn.irqfdShutdown(irqfd),
  };
  return irqfd;
}

/**
 * An eventfd that counts something already injects at once, and keeps its count.
 *
 * @returns 0; −EINVAL without an in-kernel irqchip; −EBADF, −EINVAL (not an eventfd); −EBUSY when the eventfd is an irqfd
 * of this machine already.
 * @kvm kvm_irqfd_assign(kvm, args) virt/kvm/eventfd.c
 */
export function kvmIrqfdAssign(kvm: KvmEvents, args: Readonly<KvmIrqfd>): number {
  if (kvm.routing === null) return -EINVAL;
  const eventfd = eventfdCtxFdget(args.fd);
  if (typeof eventfd === 'number') return eventfd;
  let resamplefd: Eventfd | null = null;
  if ((args.flags & KVM_IRQFD_FLAG_RESAMPLE) !== 0) {
    const ctx = eventfdCtxFdget(args.resamplefd);
    if (typeof ctx === 'number') return ctx;
    resamplefd = ctx;
  }
  const irqfd = createIrqfd(kvm, args.gsi, eventfd, resamplefd);
  if (resamplefd !== null) joinResampler(irqfd);
  if (kvm.irqfds.some((i) => i.eventfd === eventfd)) {
    // KVM: found out only now, so the line of a GSI that nobody else resamples is lowered on the way out.
    if (resamplefd !== null) kvm.eventFn.irqfdResamplerShutdown(irqfd);
    return -EBUSY;
  }
  kvm.irqfds = [...kvm.irqfds, irqfd];
  eventfd.addWaiter(irqfd.wait, irqfd.hangup);
  if (eventfd.isReadable) kvm.eventFn.irqfdInject(irqfd);
  return 0;
}

/**
 * Removes what that eventfd does to that GSI; nothing is no error.
 *
 * @returns 0; −EBADF, −EINVAL (not an eventfd).
 * @kvm kvm_irqfd_deassign(kvm, args) virt/kvm/eventfd.c
 */
export function kvmIrqfdDeassign(kvm: KvmEvents, args: Readonly<KvmIrqfd>): number {
  const eventfd = eventfdCtxFdget(args.fd);
  if (typeof eventfd === 'number') return eventfd;
  for (const irqfd of kvm.irqfds) {
    if (irqfd.eventfd === eventfd && irqfd.gsi === args.gsi) kvm.eventFn.irqfdShutdown(irqfd);
  }
  return 0;
}

/**
 * The ioctl.
 *
 * @returns 0; −EFAULT or −EINVAL for arguments that are not the structure, −EINVAL for an unknown flag; see
 * {@link kvmIrqfdAssign} and {@link kvmIrqfdDeassign}.
 * @kvm kvm_irqfd(kvm, args) virt/kvm/eventfd.c
 */
export function kvmIrqfd(kvm: KvmEvents, args: Readonly<KvmIrqfd>): number {
  if (!isStruct(args)) return -EFAULT;
  const { gsi, flags } = args;
  if (!isU32(gsi) || !isU32(flags)) return -EINVAL;
  if ((flags & ~(KVM_IRQFD_FLAG_DEASSIGN | KVM_IRQFD_FLAG_RESAMPLE)) !== 0) return -EINVAL;
  return (flags & KVM_IRQFD_FLAG_DEASSIGN) !== 0
    ? kvm.eventFn.kvmIrqfdDeassign(kvm, args)
    : kvm.eventFn.kvmIrqfdAssign(kvm, args);
}
