/**
 * IN, OUT, INS and OUTS as the instruction emulator executes them (Linux: arch/x86/kvm/emulate.c, `em_in`, `em_out`
 * and the read-ahead cache of `pio_in_emulated`). Who may touch a port is in io-permission.ts.
 */
import { matchIo } from '../cpu/breakpoints.ts';
import { CX, ECX, EDI, X86_EFLAGS_DF } from '../cpu/registers.ts';
import { type Insn, REP_NONE } from '../decoder/insn.ts';
import type { IoSize } from '../uapi/kvm.ts';
import { type KvmVcpu, READ_CACHE_SIZE } from './kvm-vcpu.ts';
import { X86EMUL_CONTINUE, X86EMUL_IO_NEEDED } from './x86emul.ts';

const PAGE_SIZE = 4096;

/** (E)CX cut to the instruction's address size, unsigned. */
export function repCount(vcpu: KvmVcpu, addrMask: number): number {
  return addrMask === -1 ? vcpu.cpu.gpr[ECX] >>> 0 : vcpu.cpu.r16[CX];
}

/**
 * How many elements to read ahead: the REP count, but not beyond the cache, and not beyond what is left of the page.
 *
 * KVM: what is left of the page is counted in bytes and compared with a number of elements, from the register without
 * the segment base; so a batch of words or doublewords may cross a page. A REP prefix counts for a plain IN too.
 */
export function readAheadCount(vcpu: KvmVcpu, insn: Insn, port: number, size: IoSize): number {
  const { cpu } = vcpu;
  const count = insn.rep !== REP_NONE ? repCount(vcpu, insn.addrMask) : 1;
  const offset = cpu.gpr[EDI] & (PAGE_SIZE - 1);
  const inPage = (cpu.sysFlags & X86_EFLAGS_DF) !== 0 ? offset : PAGE_SIZE - offset;
  let n = Math.min(inPage, READ_CACHE_SIZE / size, count);
  if (vcpu.maxInsBatch !== 0) n = Math.min(n, vcpu.maxInsBatch);
  // An I/O breakpoint on the port traps after every element.
  if (vcpu.ioBreakpoints !== 0 && matchIo(cpu, port, size) !== 0) n = 1;
  return n === 0 ? 1 : n;
}

/**
 * The next element of the read-ahead cache, refilled when it is empty; all of the cache at once for a REP INS that
 * goes upwards.
 *
 * @returns 0 when userspace has to answer first.
 * @kvm pio_in_emulated(ctxt, size, port, dest) arch/x86/kvm/emulate.c
 */
export function pioInEmulated(vcpu: KvmVcpu, size: IoSize, port: number, dest: Uint8Array): number {
  const { ctxt, cpu } = vcpu;
  const data = ctxt.ioReadData;
  if (ctxt.ioReadPos === ctxt.ioReadEnd) {
    const n = readAheadCount(vcpu, ctxt.insn, port, size);
    ctxt.ioReadPos = 0;
    ctxt.ioReadEnd = 0;
    if (vcpu.fn.emulatorPioInEmulated(vcpu, size, port, data, n) === 0) return 0;
    ctxt.ioReadEnd = n * size;
  }
  if (ctxt.insn.rep !== REP_NONE && ctxt.isString !== 0 && (cpu.sysFlags & X86_EFLAGS_DF) === 0) {
    ctxt.dstAt = ctxt.ioReadPos;
    ctxt.dstCount = (ctxt.ioReadEnd - ctxt.ioReadPos) / size;
    ctxt.ioReadPos = ctxt.ioReadEnd;
  } else {
    for (let i = 0; i < size; i++) dest[i] = data[ctxt.ioReadPos + i];
    ctxt.ioReadPos += size;
  }
  return 1;
}

/** @kvm em_in(ctxt) arch/x86/kvm/emulate.c */
export function emIn(vcpu: KvmVcpu): number {
  const { ctxt } = vcpu;
  return vcpu.fn.pioInEmulated(vcpu, ctxt.opBytes, ctxt.port, ctxt.val) !== 0
    ? X86EMUL_CONTINUE
    : X86EMUL_IO_NEEDED;
}

/**
 * Always one element, and never waits: where it went only matters to the caller of the emulator.
 *
 * @kvm em_out(ctxt) arch/x86/kvm/emulate.c
 */
export function emOut(vcpu: KvmVcpu): number {
  const { ctxt } = vcpu;
  ctxt.outResult = vcpu.fn.emulatorPioOutEmulated(vcpu, ctxt.opBytes, ctxt.port, ctxt.val, 1);
  return X86EMUL_CONTINUE;
}
