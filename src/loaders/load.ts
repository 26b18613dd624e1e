/**
 * Carries out a load plan: first everything is checked, then everything is written.
 */
import { X86_CR0_PE } from '../cpu/registers.ts';
import { EmulatorError } from '../errors.ts';
import type { KvmRegs, KvmSegment, KvmSregs } from '../uapi/kvm.ts';
import {
  type FlatStart,
  hex,
  type LoadPlan,
  type MemoryWrite,
  type ProtectedStart,
  type RealModeStart,
} from './image.ts';
import { protectedSregs } from './protected.ts';

/** Guest memory, as far as a loader sees it. */
export interface LoadMemory {
  /** The range of memory that holds a guest-physical address, or null. */
  slotAt(gpa: number): { readonly gpa: number; readonly mem: Uint8Array } | null;
  write(gpa: number, bytes: Uint8Array): void;
}

/** The machine to load into: a `Board`, or a `Vmm` on any engine. */
export interface LoadTarget {
  readonly vm: { readonly memory: LoadMemory };
  readonly vcpu: {
    getRegs(): KvmRegs;
    setRegs(regs: Readonly<KvmRegs>): unknown;
    getSregs(): KvmSregs;
    setSregs(sregs: Readonly<KvmSregs>): number;
  };
  addRom(bytes: Uint8Array, gpa: number): void;
}

const ONE_MIB = 0x10_0000;
const FOUR_GIB = 0x1_0000_0000;

/** Bytes of memory that the write needs. */
function sizeOf(write: MemoryWrite): number {
  return Math.max(write.bytes.length, write.span ?? 0);
}

function checkWrite(memory: LoadMemory, write: MemoryWrite): void {
  let at = write.gpa;
  const end = write.gpa + sizeOf(write);
  while (at < end) {
    const slot = memory.slotAt(at);
    if (slot === null) {
      const start = at === write.gpa;
      throw new EmulatorError(
        start ? 'E_ARGUMENT' : 'E_IMAGE_SIZE',
        start
          ? `${write.name}: no memory at its load address ${hex(at)}; give more with --memory`
          : `${write.name}: too large, ${hex(sizeOf(write))} bytes at ${hex(write.gpa)} run past the end of memory at ${hex(at)}; give more with --memory`,
      );
    }
    at = slot.gpa + slot.mem.length;
  }
}

/** All registers zero, EFLAGS as after reset. */
const NO_REGS: KvmRegs = {
  eax: 0,
  ebx: 0,
  ecx: 0,
  edx: 0,
  esi: 0,
  edi: 0,
  ebp: 0,
  esp: 0,
  eip: 0,
  eflags: 2,
};

/** What a boot loader's flat descriptors leave in the segment registers; the selectors are GRUB's. */
const FLAT_CODE: KvmSegment = {
  selector: 0x10,
  base: 0,
  limit: 0xffff_ffff,
  type: 11,
  s: 1,
  dpl: 0,
  present: 1,
  db: 1,
  l: 0,
  g: 1,
  avl: 0,
  unusable: 0,
};
const FLAT_DATA: KvmSegment = { ...FLAT_CODE, selector: 0x18, type: 3 };

function startFlat(vcpu: LoadTarget['vcpu'], { eip, eax, ebx }: FlatStart): void {
  const sregs = vcpu.getSregs();
  sregs.cr0 |= X86_CR0_PE;
  sregs.cs = FLAT_CODE;
  for (const name of ['ds', 'es', 'fs', 'gs', 'ss'] as const) sregs[name] = FLAT_DATA;
  vcpu.setSregs(sregs);
  vcpu.setRegs({ ...NO_REGS, eip, eax, ebx });
}

function startProtected(vcpu: LoadTarget['vcpu'], start: ProtectedStart): void {
  vcpu.setSregs(protectedSregs(vcpu.getSregs(), start));
  vcpu.setRegs({ ...NO_REGS, eip: start.eip, esp: start.esp });
}

function startReal(vcpu: LoadTarget['vcpu'], start: RealModeStart): void {
  const sregs = vcpu.getSregs();
  for (const name of ['ds', 'es', 'fs', 'gs', 'ss', 'cs'] as const) {
    const selector = name === 'cs' ? start.cs : start.dataSegment;
    sregs[name] = { ...sregs[name], selector, base: selector * 16, limit: 0xffff };
  }
  vcpu.setSregs(sregs);
  vcpu.setRegs({ ...NO_REGS, edx: start.dx, esp: start.sp, eip: start.ip });
}

/**
 * Loads an image and further bytes into a fresh machine.
 *
 * @param extra written after the image, so that they win where they overlap.
 * @throws EmulatorError `E_ARGUMENT` for a load address without memory, `E_IMAGE_SIZE` for bytes that run past the
 * end of memory; nothing is changed then.
 */
export function loadImage(target: LoadTarget, plan: LoadPlan, extra: readonly MemoryWrite[] = []): void {
  const writes = [...plan.writes, ...extra];
  for (const write of writes) checkWrite(target.vm.memory, write);
  if (plan.rom !== null) {
    target.addRom(plan.rom, ONE_MIB - plan.rom.length);
    target.addRom(plan.rom, FOUR_GIB - plan.rom.length);
  }
  for (const write of writes) target.vm.memory.write(write.gpa, write.bytes);
  const { start } = plan;
  if (start?.mode === 'real') startReal(target.vcpu, start);
  if (start?.mode === 'flat32') startFlat(target.vcpu, start);
  if (start?.mode === 'prot16' || start?.mode === 'prot32') startProtected(target.vcpu, start);
}
