/**
 * `--entry` and `--reg`: changes to the start state that a loader left.
 */
import { EmulatorError } from '../../errors.ts';
import { hex, realModeEntry } from '../../loaders/image.ts';
import type { LoadTarget } from '../../loaders/load.ts';
import type { KvmRegs, KvmSregs } from '../../uapi/kvm.ts';
import type { FarAddress } from '../numbers.ts';
import type { RegOption } from './run-options.ts';

type SegmentName = 'cs' | 'ds' | 'es' | 'fs' | 'gs' | 'ss';
/** CR0.PE. */
const CR0_PE = 1;
const SEGMENTS: readonly string[] = ['cs', 'ds', 'es', 'fs', 'gs', 'ss'] satisfies SegmentName[];
const REGS: readonly string[] = [
  'eax',
  'ebx',
  'ecx',
  'edx',
  'esi',
  'edi',
  'esp',
  'ebp',
  'eip',
  'eflags',
] satisfies (keyof KvmRegs)[];

/** Which 32-bit register a name is part of: `ah` → `eax` from bit 8, 8 bits. */
interface RegisterPart {
  readonly reg: keyof KvmRegs;
  readonly shift: number;
  readonly mask: number;
}

function partOf(name: string): RegisterPart {
  if (REGS.includes(name)) return { reg: name as keyof KvmRegs, shift: 0, mask: 0xffff_ffff };
  const full = name === 'flags' ? 'eflags' : `e${name}`;
  if (REGS.includes(full)) return { reg: full as keyof KvmRegs, shift: 0, mask: 0xffff };
  const shift = name.endsWith('h') ? 8 : 0;
  return { reg: `e${name[0]}x` as keyof KvmRegs, shift, mask: 0xff };
}

function setSegment(sregs: KvmSregs, name: SegmentName, selector: number): void {
  sregs[name] = { ...sregs[name], selector, base: selector * 16 };
}

const isProtected = (sregs: KvmSregs): boolean => (sregs.cr0 & CR0_PE) !== 0;
const FLAT_ENTRY = 'entry: a guest that starts in protected mode is entered at a linear address, not SEG:OFF';
const FLAT_SEGMENT = 'a guest that starts in protected mode loads its segment registers itself';

function requireMemory(vm: LoadTarget['vm'], linear: number): void {
  if (vm.memory.slotAt(linear) !== null) return;
  throw new EmulatorError('E_ARGUMENT', `entry: no memory at ${hex(linear)}; give more with --memory`);
}

/**
 * Makes the guest start at `entry`.
 *
 * @throws EmulatorError `E_ARGUMENT` where real mode does not reach or no memory is, and for SEG:OFF in protected mode.
 */
export function setEntry({ vm, vcpu }: Pick<LoadTarget, 'vm' | 'vcpu'>, entry: FarAddress): void {
  if (isProtected(vcpu.getSregs())) {
    if (entry.selector !== null) throw new EmulatorError('E_ARGUMENT', FLAT_ENTRY);
    requireMemory(vm, entry.offset);
    vcpu.setRegs({ ...vcpu.getRegs(), eip: entry.offset });
    return;
  }
  const { cs, ip } =
    entry.selector === null ? realModeEntry(entry.offset) : { cs: entry.selector, ip: entry.offset };
  requireMemory(vm, cs * 16 + ip);
  const sregs = vcpu.getSregs();
  setSegment(sregs, 'cs', cs);
  vcpu.setSregs(sregs);
  vcpu.setRegs({ ...vcpu.getRegs(), eip: ip });
}

/**
 * Sets registers by name, in the order given.
 *
 * @throws EmulatorError `E_ARGUMENT` for a segment register of a guest that starts in protected mode.
 */
export function setRegisters({ vcpu }: Pick<LoadTarget, 'vcpu'>, options: readonly RegOption[]): void {
  const regs = vcpu.getRegs();
  const sregs = vcpu.getSregs();
  for (const { name, value } of options) {
    if (SEGMENTS.includes(name)) {
      if (isProtected(sregs)) throw new EmulatorError('E_ARGUMENT', `--reg ${name}: ${FLAT_SEGMENT}`);
      setSegment(sregs, name as SegmentName, value);
      continue;
    }
    const { reg, shift, mask } = partOf(name);
    regs[reg] = ((regs[reg] & ~(mask << shift)) | ((value & mask) << shift)) >>> 0;
  }
  vcpu.setSregs(sregs);
  vcpu.setRegs(regs);
}
