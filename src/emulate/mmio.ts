/**
 * Memory-mapped I/O: the local APIC's page first, then the kernel's MMIO bus, in pieces of up to eight bytes, then
 * KVM_EXIT_MMIO, one piece an exit
 * (Linux: arch/x86/kvm/x86.c, `vcpu_mmio_read`, `vcpu_mmio_write`, `complete_emulated_mmio`).
 */
import { kvmIoBusRead64, kvmIoBusWrite64 } from '../bus/io-bus.ts';
import { IO_NOT_HANDLED, IO_NOTHING_STORED } from '../bus/io-device.ts';
import { type IoSize, KVM_EXIT_MMIO, KVM_MMIO_BUS } from '../uapi/kvm.ts';
import { COMPLETE_EMULATED_MMIO, type KvmVcpu } from './kvm-vcpu.ts';

/** Bytes of one access, and of one KVM_EXIT_MMIO. */
const MAX_PIECE = 8;

/** One access of 1 … 7 bytes. In-kernel devices know what to do with 3, 5, 6 and 7. */
function readPiece(vcpu: KvmVcpu, addr: number, data: Uint8Array, at: number, len: number): boolean {
  const { fn, lapicDev } = vcpu;
  let value = lapicDev === null ? IO_NOT_HANDLED : fn.kvmIodeviceRead(lapicDev, addr, len as IoSize);
  if (value === IO_NOT_HANDLED) value = fn.kvmIoBusRead(vcpu.kvm.buses[KVM_MMIO_BUS], addr, len as IoSize);
  if (value === IO_NOTHING_STORED) return true;
  if (value < 0) return false;
  for (let i = 0; i < len && i < 4; i++) data[at + i] = value >>> (8 * i);
  return true;
}

function writePiece(vcpu: KvmVcpu, addr: number, data: Uint8Array, at: number, len: number): boolean {
  let value = 0;
  for (let i = 0; i < len && i < 4; i++) value += data[at + i] * 2 ** (8 * i);
  const { fn, lapicDev } = vcpu;
  if (lapicDev !== null && fn.kvmIodeviceWrite(lapicDev, addr, len as IoSize, value)) return true;
  return fn.kvmIoBusWrite(vcpu.kvm.buses[KVM_MMIO_BUS], addr, len as IoSize, value);
}

/** Eight bytes. */
function readLong(vcpu: KvmVcpu, addr: number, data: Uint8Array): boolean {
  return (
    vcpu.lapicDev?.read64(addr, data) === true || kvmIoBusRead64(vcpu.kvm.buses[KVM_MMIO_BUS], addr, data)
  );
}

function writeLong(vcpu: KvmVcpu, addr: number, data: Uint8Array): boolean {
  return (
    vcpu.lapicDev?.write64(addr, data) === true || kvmIoBusWrite64(vcpu.kvm.buses[KVM_MMIO_BUS], addr, data)
  );
}

/**
 * Reads from the kernel's MMIO bus into `data[at …]`.
 *
 * @returns how many bytes in-kernel devices have answered; the rest is userspace's.
 * @kvm vcpu_mmio_read(vcpu, addr, len, v) arch/x86/kvm/x86.c
 */
export function vcpuMmioRead(vcpu: KvmVcpu, addr: number, data: Uint8Array, at: number, len: number): number {
  let done = 0;
  while (done < len) {
    const n = Math.min(len - done, MAX_PIECE);
    const isTaken =
      n === MAX_PIECE
        ? readLong(vcpu, addr + done, data.subarray(at + done, at + done + n))
        : readPiece(vcpu, addr + done, data, at + done, n);
    if (!isTaken) break;
    done += n;
  }
  return done;
}

/**
 * Writes `data[at …]` to the kernel's MMIO bus.
 *
 * @returns how many bytes in-kernel devices have taken.
 * @kvm vcpu_mmio_write(vcpu, addr, len, v) arch/x86/kvm/x86.c
 */
export function vcpuMmioWrite(
  vcpu: KvmVcpu,
  addr: number,
  data: Uint8Array,
  at: number,
  len: number,
): number {
  let done = 0;
  while (done < len) {
    const n = Math.min(len - done, MAX_PIECE);
    const isTaken =
      n === MAX_PIECE
        ? writeLong(vcpu, addr + done, data.subarray(at + done, at + done + n))
        : writePiece(vcpu, addr + done, data, at + done, n);
    if (!isTaken) break;
    done += n;
  }
  return done;
}

/** The instruction's writes, in order: those that no in-kernel device takes stay for userspace. */
export function flushMmioWrites(vcpu: KvmVcpu): void {
  const { mmioRequest: request } = vcpu;
  let kept = 0;
  for (let i = 0; i < request.nr; i++) {
    const done = vcpu.fn.vcpuMmioWrite(vcpu, request.gpa[i], request.data, request.at[i], request.len[i]);
    if (done === request.len[i]) continue;
    request.gpa[kept] = request.gpa[i] + done;
    request.at[kept] = request.at[i] + done;
    request.len[kept] = request.len[i] - done;
    kept++;
  }
  request.nr = kept;
  request.cur = 0;
  request.needed = kept > 0 ? 1 : 0;
  request.isWrite = 1;
}

/** Fills `kvm_run` with the current piece. @returns 0. */
export function prepareMmioExit(vcpu: KvmVcpu): number {
  const { mmioRequest: request, run } = vcpu;
  const { cur } = request;
  const len = Math.min(request.len[cur], MAX_PIECE);
  run.exit_reason = KVM_EXIT_MMIO;
  run.mmio.phys_addr = request.gpa[cur];
  run.mmio.len = len;
  run.mmio.is_write = request.isWrite;
  // Userspace that does not answer a read leaves zeros.
  run.mmio.data.fill(0);
  if (request.isWrite !== 0) {
    for (let i = 0; i < len; i++) run.mmio.data[i] = request.data[request.at[cur] + i];
  }
  vcpu.completeUserspaceIo = COMPLETE_EMULATED_MMIO;
  return 0;
}

/**
 * Userspace has made one piece of the access. After the last one of a write the guest goes on; after the last one of a
 * read the instruction is run again and finds what it had asked for.
 *
 * @kvm complete_emulated_mmio(vcpu) arch/x86/kvm/x86.c
 */
export function completeEmulatedMmio(vcpu: KvmVcpu): number {
  const { mmioRequest: request, run } = vcpu;
  const { cur } = request;
  const len = Math.min(request.len[cur], MAX_PIECE);
  if (request.isWrite === 0) {
    for (let i = 0; i < len; i++) request.readData[request.at[cur] + i] = run.mmio.data[i];
  }
  request.gpa[cur] += len;
  request.at[cur] += len;
  request.len[cur] -= len;
  if (request.len[cur] === 0) request.cur++;
  if (request.cur < request.nr) return prepareMmioExit(vcpu);
  const wasWrite = request.isWrite !== 0;
  request.drop();
  if (wasWrite) return 1;
  request.readEnd++;
  return vcpu.fn.completeEmulatedIo(vcpu);
}
