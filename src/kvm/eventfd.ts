/**
 * An eventfd: a 64-bit counter that one side adds to and the other reads out, and that wakes who waits for it
 * (Linux: fs/eventfd.c; eventfd(2)). KVM takes them for ioeventfds, irqfds and resamplefds.
 *
 * Signalling does not allocate: a guest does it with an OUT.
 */
import { EmulatorError } from '../errors.ts';
import { EAGAIN, EBADF, EINVAL } from '../uapi/errno.ts';
import type { KvmEventfd, U64 } from '../uapi/kvm.ts';
import { toU64 } from './ioctl-args.ts';

const MAX_U32 = 0xffff_ffff;
const MAX_U64 = 0xffff_ffff_ffff_ffffn;

/**
 * Waits for an eventfd, ahead of its listener.
 *
 * @returns whether the listener need not be woken (the kernel's WQ_FLAG_EXCLUSIVE).
 */
export type EventfdWaiter = (eventfd: Eventfd) => boolean;

/** How an {@link Eventfd} is made. */
export interface EventfdOptions {
  /** What the counter starts with, unsigned 32-bit. Default 0. */
  initval?: number;
  /** EFD_SEMAPHORE: a read takes 1 instead of all. Default false. */
  semaphore?: boolean;
  /** See {@link Eventfd.listener}. */
  listener?: (eventfd: Eventfd) => void;
}

/** One eventfd. */
export class Eventfd implements KvmEventfd {
  /** Called when something was added, unless an irqfd has taken it. What it adds itself wakes nobody. */
  listener: ((eventfd: Eventfd) => void) | null;
  readonly isSemaphore: boolean;
  #low: number;
  #high = 0;
  #waiters: readonly EventfdWaiter[] = [];
  #hangups: readonly (() => void)[] = [];
  #isWaking = false;
  #isClosed = false;

  /** @throws EmulatorError for an `initval` that is not an unsigned 32-bit number. */
  constructor(options: EventfdOptions = {}) {
    const { initval = 0 } = options;
    if (!Number.isInteger(initval) || initval < 0 || initval > MAX_U32) {
      throw new EmulatorError('E_ARGUMENT', `eventfd: initval ${initval} is not 0–0xffffffff`);
    }
    this.#low = initval;
    this.isSemaphore = options.semaphore ?? false;
    this.listener = options.listener ?? null;
  }

  /** The counter, looked at without taking it. */
  get count(): bigint {
    return (BigInt(this.#high) << 32n) | BigInt(this.#low);
  }

  /** Whether a read would find something (EPOLLIN). */
  get isReadable(): boolean {
    return this.#low !== 0 || this.#high !== 0;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * What the kernel does with an event: adds 1 and wakes who waits. A counter of 2^64 − 1 stays.
   *
   * @kvm eventfd_signal(ctx) fs/eventfd.c (as signal)
   */
  signal(): void {
    if (this.#low !== MAX_U32) {
      this.#low++;
    } else if (this.#high !== MAX_U32) {
      this.#low = 0;
      this.#high++;
    }
    this.#wake();
  }

  /** `write(2)` of an 8-byte value, see {@link KvmEventfd}; −EBADF when closed. */
  write(value: U64): number {
    if (this.#isClosed) return -EBADF;
    const n = toU64(value);
    if (n === null || n === MAX_U64) return -EINVAL;
    const sum = this.count + n;
    if (sum >= MAX_U64) return -EAGAIN;
    this.#low = Number(sum & 0xffff_ffffn);
    this.#high = Number(sum >> 32n);
    this.#wake();
    return 0;
  }

  #wake(): void {
    if (this.#isWaking) return;
    this.#isWaking = true;
    try {
      const waiters = this.#waiters;
      for (let i = 0; i < waiters.length; i++) if (waiters[i](this)) return;
      if (this.listener !== null) this.listener(this);
    } finally {
      this.#isWaking = false;
    }
  }

  /** `read(2)`, not blocking. @returns the counter, which is now 0; of a semaphore 1n; −EAGAIN at 0, −EBADF when closed. */
  read(): bigint | number {
    if (this.#isClosed) return -EBADF;
    if (!this.isReadable) return -EAGAIN;
    const taken = this.isSemaphore ? 1n : this.count;
    this.drain();
    return taken;
  }

  /**
   * Takes what {@link read} would, without handing it out.
   *
   * @kvm eventfd_ctx_do_read(ctx, cnt) fs/eventfd.c (as drain)
   */
  drain(): void {
    if (!this.isSemaphore) {
      this.#low = 0;
      this.#high = 0;
    } else if (this.#low !== 0) {
      this.#low--;
    } else if (this.#high !== 0) {
      this.#low = MAX_U32;
      this.#high--;
    }
  }

  /** Closes the file. An irqfd that waits for it goes away (EPOLLHUP); an ioeventfd keeps it and goes on signalling. */
  close(): number {
    if (this.#isClosed) return -EBADF;
    this.#isClosed = true;
    for (const hangup of this.#hangups) hangup();
    return 0;
  }

  /** @internal Puts a waiter ahead of the others (`add_wait_queue_priority`); `hangup` is called by {@link close}. */
  addWaiter(waiter: EventfdWaiter, hangup: () => void): void {
    this.#waiters = [waiter, ...this.#waiters];
    this.#hangups = [...this.#hangups, hangup];
  }

  /** @internal Undoes {@link addWaiter} and empties the counter (`eventfd_ctx_remove_wait_queue`). */
  removeWaiter(waiter: EventfdWaiter, hangup: () => void): void {
    this.#waiters = this.#waiters.filter((w) => w !== waiter);
    this.#hangups = this.#hangups.filter((h) => h !== hangup);
    this.drain();
  }
}

/**
 * The eventfd behind what userspace gave as a file.
 *
 * @returns it; −EBADF for nothing that is open, −EINVAL for something else.
 * @kvm eventfd_ctx_fdget(fd) fs/eventfd.c
 */
export function eventfdCtxFdget(fd: unknown): Eventfd | number {
  if (fd instanceof Eventfd) return fd.isClosed ? -EBADF : fd;
  return typeof fd === 'object' && fd !== null ? -EINVAL : -EBADF;
}
