/**
 * `eventfd(2)` of the host's kernel.
 */
import { EBADF, EINVAL } from '../uapi/errno.ts';
import type { KvmEventfd, U64 } from '../uapi/kvm.ts';
import { HostFile } from './host-file.ts';
import { StructView } from './struct-view.ts';

/** Non-blocking: a read of an empty counter must not stop the program. */
export const EFD_NONBLOCK = 0o4000;
export const EFD_CLOEXEC = 0o2000000;
const COUNTER_SIZE = 8;
const TWO_64 = 1n << 64n;

/** A counter in the kernel. */
export class HostEventfd extends HostFile implements KvmEventfd {
  write(value: U64): number {
    if (this.fd < 0) return -EBADF;
    const big = typeof value === 'bigint' ? value : Number.isSafeInteger(value) ? BigInt(value) : -1n;
    if (big < 0n || big >= TWO_64) return -EINVAL;
    const view = new StructView(COUNTER_SIZE);
    view.setU64(0, big);
    const r = this.libc.write(this.fd, view.bytes);
    return Math.min(r, 0);
  }

  read(): bigint | number {
    if (this.fd < 0) return -EBADF;
    const view = new StructView(COUNTER_SIZE);
    const r = this.libc.read(this.fd, view.bytes);
    return r < 0 ? r : view.big(0);
  }
}
