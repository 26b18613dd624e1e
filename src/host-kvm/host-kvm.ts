/**
 * The host's `/dev/kvm` behind the API that pio86's own `Kvm` has: a VMM written against `kvm/api.ts` runs on either.
 *
 * Everything is synchronous. What the kernel answers is handed on as it is.
 */
import type { KvmApi, OrErrno } from '../kvm/api.ts';
import { EINVAL, ENOMEM } from '../uapi/errno.ts';
import type { KvmCpuidEntry2 } from '../uapi/kvm.ts';
import { cpuidRequest, msrListRequest, unpackCpuid2, unpackMsrList } from './cpuid-struct.ts';
import { EFD_CLOEXEC, EFD_NONBLOCK, HostEventfd } from './host-eventfd.ts';
import { HostFile } from './host-file.ts';
import { HostVm } from './host-vm.ts';
import { IOCTL } from './ioctl-numbers.ts';
import { type Libc, loadLibc, type Mapping, O_CLOEXEC, O_RDWR } from './libc.ts';

const DEVICE = '/dev/kvm';
const KVM_API_VERSION = 12;
/** More entries than any kernel has (KVM_MAX_CPUID_ENTRIES). */
const MAX_CPUID_ENTRIES = 256;
/** More than any kernel lists. */
const MAX_MSRS = 1024;
const PAGE_SIZE = 4096;

/** Why there is no {@link HostKvm}: one line for people. */
export interface HostKvmAbsent {
  readonly absent: string;
}

/** The host's KVM. */
export class HostKvm extends HostFile implements KvmApi {
  readonly #mappings: Mapping[] = [];

  /**
   * Opens `/dev/kvm`; koffi is loaded by this.
   *
   * @param device for tests; default `/dev/kvm`.
   * @returns why not, when koffi or the device is missing or not to be used.
   */
  static async open(device: string = DEVICE): Promise<HostKvm | HostKvmAbsent> {
    const libc = await loadLibc();
    if (libc === null) {
      return {
        absent:
          "the optional package koffi is not installed for this platform (Linux, x64); 'npm install koffi'",
      };
    }
    const fd = libc.open(device, O_RDWR | O_CLOEXEC);
    if (fd < 0) return { absent: `cannot open ${device}: ${openError(-fd)}` };
    const kvm = new HostKvm(libc, fd);
    const version = kvm.getApiVersion();
    if (version === KVM_API_VERSION) return kvm;
    kvm.close();
    return { absent: `${device} speaks version ${version} of KVM's API, not ${KVM_API_VERSION}` };
  }

  private constructor(libc: Libc, fd: number) {
    super(libc, fd);
  }

  getApiVersion(): number {
    return this.ioctl(IOCTL.KVM_GET_API_VERSION);
  }

  checkExtension(cap: number): number {
    return this.ioctl(IOCTL.KVM_CHECK_EXTENSION, cap);
  }

  getVcpuMmapSize(): number {
    return this.ioctl(IOCTL.KVM_GET_VCPU_MMAP_SIZE);
  }

  /** KVM_GET_SUPPORTED_CPUID. */
  getSupportedCpuid(): OrErrno<KvmCpuidEntry2[]> {
    const view = cpuidRequest(MAX_CPUID_ENTRIES);
    const r = this.ioctlStruct(IOCTL.KVM_GET_SUPPORTED_CPUID, view);
    return r < 0 ? r : unpackCpuid2(view);
  }

  getMsrIndexList(): OrErrno<number[]> {
    const view = msrListRequest(MAX_MSRS);
    const r = this.ioctlStruct(IOCTL.KVM_GET_MSR_INDEX_LIST, view);
    return r < 0 ? r : unpackMsrList(view);
  }

  allocateMemory(size: number): OrErrno<Uint8Array> {
    if (!Number.isSafeInteger(size) || size <= 0 || size % PAGE_SIZE !== 0) return -EINVAL;
    const mapping = this.libc.allocate(size);
    if (mapping === null) return -ENOMEM;
    this.#mappings.push(mapping);
    return new Uint8Array(mapping.buffer);
  }

  eventfd(initval = 0): OrErrno<HostEventfd> {
    if (!Number.isInteger(initval) || initval < 0 || initval > 0xffff_ffff) return -EINVAL;
    const fd = this.libc.eventfd(initval, EFD_NONBLOCK | EFD_CLOEXEC);
    return fd < 0 ? fd : new HostEventfd(this.libc, fd);
  }

  createVm(): OrErrno<HostVm> {
    const mmapSize = this.getVcpuMmapSize();
    const cpuid = this.getSupportedCpuid();
    if (typeof cpuid === 'number') return cpuid;
    const fd = this.ioctl(IOCTL.KVM_CREATE_VM);
    return fd < 0 ? fd : new HostVm(this.libc, fd, { mmapSize, cpuid });
  }

  /**
   * SIGALRM for this process at intervals: each ends a KVM_RUN with −EINTR. The caller must listen for the signal,
   * or it ends the process. 0 for no more.
   */
  interruptEvery(microseconds: number): number {
    return this.libc.intervalTimer(microseconds);
  }

  /** Gives memory of {@link allocateMemory} back. */
  override close(): number {
    const r = super.close();
    if (r >= 0) for (const mapping of this.#mappings.splice(0)) this.libc.release(mapping);
    return r;
  }
}

const ENOENT = 2;
const EACCES = 13;

function openError(errno: number): string {
  if (errno === ENOENT) return 'there is none; load the kvm module, or run where virtualization is allowed';
  if (errno === EACCES) return "permission denied; join the group 'kvm'";
  return `errno ${errno}`;
}
