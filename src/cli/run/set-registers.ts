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

/**
 * Makes the guest start at `entry`.
 *
 * @throws EmulatorError `E_ARGUMENT` where real mode does not reach or no memory is.
 */
export function setEntry({ vm, vcpu }: Pick<LoadTarget, 'vm' | 'vcpu'>, entry: FarAddress): void {
  const { cs, ip } =
    entry.selector === null ? realModeEntry(entry.offset) : { cs: entry.selector, ip: entry.offset };
  const linear = cs * 16 + ip;
  if (vm.memory.slotAt(linear) === null) {
    throw new EmulatorError('E_ARGUMENT', `entry: no memory at ${hex(linear)}; give more with --memory`);
  }
  const sregs = vcpu.getSregs();
  setSegment(sregs, 'cs', cs);
  vcpu.setSregs(sregs);
  vcpu.setRegs({ ...vcpu.getRegs(), eip: ip });
}

/** Sets registers by name, in the order given. */
export function setRegisters({ vcpu }: Pick<LoadTarget, 'vcpu'>, options: readonly RegOption[]): void {
  const regs = vcpu.getRegs();
  const sregs = vcpu.getSregs();
  for (const { name, value } of options) {
    if (SEGMENTS.includes(name)) {
      setSegment(sregs, name as SegmentName, value);
      continue;
    }
    const { reg, shift, mask } = partOf(name);
    regs[reg] = ((regs[reg] & ~(mask << shift)) | ((value & mask) << shift)) >>> 0;
  }
  vcpu.setSregs(sregs);
  vcpu.setRegs(regs);
}
