/**
 * A file of the kernel's (VM, vCPU, eventfd): its descriptor until it is closed, and ioctls on it.
 */
import { EBADF, EINTR } from '../uapi/errno.ts';
import type { Libc } from './libc.ts';
import type { StructView } from './struct-view.ts';

/** One open file. After {@link close} every call answers −EBADF. */
export class HostFile {
  readonly libc: Libc;
  #fd: number;

  constructor(libc: Libc, fd: number) {
    this.libc = libc;
    this.#fd = fd;
  }

  /** The descriptor, −1 when closed. */
  get fd(): number {
    return this.#fd;
  }

  /** An ioctl whose argument is a number. Arguments that are no integers become 2^31 − 1, which no ioctl here takes. */
  ioctl(request: number, arg: number | bigint = 0): number {
    const sane = typeof arg === 'bigint' || Number.isSafeInteger(arg) ? arg : 0x7fff_ffff;
    return this.#retried(() => this.libc.ioctl(this.#fd, request, sane));
  }

  /** An ioctl without argument that a signal shall end. */
  interruptibleIoctl(request: number): number {
    return this.#fd < 0 ? -EBADF : this.libc.ioctl(this.#fd, request, 0);
  }

  /** An ioctl whose argument is a structure, which the kernel may fill in. */
  ioctlStruct(request: number, view: StructView): number {
    return this.#retried(() => this.libc.ioctlBuffer(this.#fd, request, view.bytes));
  }

  /** Only KVM_RUN is meant to be ended by the timer's signal. */
  #retried(call: () => number): number {
    if (this.#fd < 0) return -EBADF;
    const r = call();
    return r === -EINTR ? this.libc.withoutTimer(call) : r;
  }

  /** @returns 0 or −EBADF. */
  close(): number {
    if (this.#fd < 0) return -EBADF;
    const fd = this.#fd;
    this.#fd = -1;
    return this.libc.close(fd);
  }
}
