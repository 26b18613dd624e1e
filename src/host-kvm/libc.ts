/**
 * The few functions of the C library that /dev/kvm needs, through koffi: open, ioctl, mmap, eventfd, read, write,
 * close, setitimer (man-pages sections 2 and 3). koffi is optional and loaded here alone, by a dynamic import.
 *
 * Results are the kernel's: a value, or a negative errno. Nothing throws after loading.
 */
import { EFAULT, EINVAL } from '../uapi/errno.ts';

/** A user-space address of this process. */
export type Address = bigint;

/** What is called. Buffers must stay referenced as long as the kernel may use them. */
export interface Libc {
  open(path: string, flags: number): number;
  close(fd: number): number;
  /** ioctl whose argument is a number, or none. */
  ioctl(fd: number, request: number, arg: number | bigint): number;
  /** ioctl whose argument points to a structure; the kernel may write to it. */
  ioctlBuffer(fd: number, request: number, arg: Uint8Array): number;
  /** Anonymous memory. @returns null without any left. */
  allocate(bytes: number): Mapping | null;
  /** The first `bytes` of a file, shared. @returns null when the kernel refuses. */
  map(fd: number, bytes: number): Mapping | null;
  /**
   * Gives a mapping back: empty memory takes its place at the same address, so that a view which JavaScript still holds
   * reads zeros instead of killing the process.
   */
  release(mapping: Mapping): void;
  eventfd(initial: number, flags: number): number;
  read(fd: number, into: Uint8Array): number;
  write(fd: number, from: Uint8Array): number;
  /** SIGALRM for this process every `microseconds`, 0 for no more of them. */
  intervalTimer(microseconds: number): number;
  /** `call` with the timer off: for a system call that would never finish between two signals. */
  withoutTimer(call: () => number): number;
  /** Address of bytes that do not move. */
  addressOf(bytes: Uint8Array): Address;
}

/** Memory that the kernel knows by address and JavaScript by its bytes. */
export interface Mapping {
  readonly address: Address;
  readonly buffer: ArrayBuffer;
}

export const O_RDWR = 0o2;
export const O_CLOEXEC = 0o2000000;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 0x01;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const MAP_FIXED = 0x10;
const ITIMER_REAL = 0;
const MICROSECONDS = 1_000_000n;

type Foreign = (...args: readonly unknown[]) => unknown;

/**
 * Loads koffi and the C library.
 *
 * @returns null when koffi is not installed or this is no Linux with glibc on a 64-bit processor.
 */
export async function loadLibc(): Promise<Libc | null> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return null;
  try {
    const koffi = (await import('koffi')).default;
    return bind(koffi, koffi.load('libc.so.6'));
  } catch {
    return null;
  }
}

type Koffi = typeof import('koffi')['default'];

function bind(koffi: Koffi, library: ReturnType<Koffi['load']>): Libc {
  const foreign = (name: string, result: string, args: string[]): Foreign =>
    library.func(name, result, args) as Foreign;
  const open = foreign('open', 'int', ['str', 'int']);
  const close = foreign('close', 'int', ['int']);
  const ioctl = foreign('ioctl', 'int', ['int', 'ulong', 'long']);
  const ioctlBuffer = foreign('ioctl', 'int', ['int', 'ulong', 'void *']);
  const mmap = foreign('mmap', 'void *', ['void *', 'size_t', 'int', 'int', 'int', 'int64_t']);
  const eventfd = foreign('eventfd', 'int', ['uint', 'int']);
  const read = foreign('read', 'long', ['int', 'void *', 'size_t']);
  const write = foreign('write', 'long', ['int', 'void *', 'size_t']);
  const setitimer = foreign('setitimer', 'int', ['int', 'void *', 'void *']);

  let interval = 0;
  const setTimer = (microseconds: number): number => {
    const seconds = BigInt(microseconds) / MICROSECONDS;
    const rest = BigInt(microseconds) % MICROSECONDS;
    const value = new BigInt64Array([seconds, rest, seconds, rest]);
    return checked(setitimer(ITIMER_REAL, new Uint8Array(value.buffer), null));
  };

  /** −1 and errno become a negative errno. */
  const checked = (result: unknown): number => {
    const r = Number(result);
    return r >= 0 ? r : -koffi.errno() || -EINVAL;
  };
  const mapping = (length: number, flags: number, fd: number): Mapping | null => {
    const address = mmap(null, length, PROT_READ_WRITE, flags, fd, 0);
    if (typeof address !== 'bigint' || BigInt.asIntN(64, address) === -1n || address === 0n) return null;
    return { address, buffer: koffi.view(address, length) };
  };
  return {
    open: (path, flags) => checked(open(path, flags)),
    close: (fd) => checked(close(fd)),
    ioctl: (fd, request, arg) => checked(ioctl(fd, request, arg)),
    ioctlBuffer: (fd, request, arg) => checked(ioctlBuffer(fd, request, arg)),
    allocate: (bytes) => mapping(bytes, MAP_PRIVATE_ANONYMOUS, -1),
    map: (fd, bytes) => mapping(bytes, MAP_SHARED, fd),
    release({ address, buffer }) {
      mmap(address, buffer.byteLength, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS | MAP_FIXED, -1, 0);
    },
    eventfd: (initial, flags) => checked(eventfd(initial, flags)),
    read: (fd, into) => (into.length === 0 ? -EFAULT : checked(read(fd, into, into.length))),
    write: (fd, from) => (from.length === 0 ? -EFAULT : checked(write(fd, from, from.length))),
    intervalTimer(microseconds) {
      interval = microseconds;
      return setTimer(microseconds);
    },
    withoutTimer(call) {
      if (interval === 0) return call();
      setTimer(0);
      const r = call();
      setTimer(interval);
      return r;
    },
    addressOf: (bytes) => koffi.address(bytes),
  };
}
