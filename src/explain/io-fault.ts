/**
 * Why an I/O instruction is #GP(0), or is not: every check in the processor's order, in the manual's words. The answer is that
 * of the CPU's own check (cpu/io-permission.ts), run on a processor that is set up as described.
 *
 * Intel SDM vol. 1, “I/O Privilege Level”, “I/O Permission Bit Map”.
 */
import { Cpu } from '../cpu/cpu.ts';
import { systemType, TYPE_32, TYPE_BUSY } from '../cpu/descriptor.ts';
import { portAllowed } from '../cpu/io-permission.ts';
import {
  IO_NOT_REFUSED,
  IO_REFUSED_BIT,
  IO_REFUSED_MAP_LIMIT,
  IO_REFUSED_NO_TSS,
  IO_REFUSED_TSS_LIMIT,
  IO_REFUSED_TSS_TYPE,
  type IoRefusal,
} from '../cpu/io-refusal.ts';
import { GuestMemory } from '../cpu/memory.ts';
import {
  AR_DPL_SHIFT,
  AR_P,
  AR_S,
  AR_TYPE_WRITABLE,
  AR_UNUSABLE,
  X86_CR0_PE,
  X86_EFLAGS_VM,
} from '../cpu/registers.ts';
import { IO_MAP_BASE_OFFSET, TSS32_MIN_LIMIT } from '../cpu/tss.ts';
import { SEG_SS, SEG_TR } from '../decoder/insn.ts';

/** Version of the shape of {@link IoFaultExplanation}. */
export const IO_FAULT_SCHEMA_VERSION = 1;

/** The access and the state that decides about it. */
export interface IoFaultQuestion {
  readonly port: number;
  readonly size: number;
  readonly mode: 'real' | 'protected' | 'v86';
  readonly cpl: number;
  readonly iopl: number;
  /** What TR holds. */
  readonly tss: 'none' | '16' | '32';
  readonly tssLimit: number;
  readonly mapBase: number;
  /** Bytes from the map base on; those behind are 0. */
  readonly bitmap: Uint8Array;
}

/** One check. */
export interface IoCheck {
  readonly check: 'mode' | 'CPL' | 'TSS type' | 'TSS limit' | 'map base' | 'bit map';
  /** `allows` and `refuses` end the sequence. */
  readonly verdict: 'allows' | 'refuses' | 'goes on';
  readonly text: string;
}

/** Every check up to the one that decides. */
export interface IoFaultExplanation {
  readonly schemaVersion: number;
  readonly port: number;
  readonly size: number;
  readonly allowed: boolean;
  readonly exception: '#GP(0)' | null;
  readonly checks: readonly IoCheck[];
}

const hex = (value: number): string => `0x${value.toString(16)}`;
const bytes = (size: number): string => (size === 1 ? '1 byte' : `${size} bytes`);

function levelCheck({ cpl, iopl, isV86 }: IoRefusal): IoCheck {
  const text = isV86
    ? 'virtual-8086 mode (EFLAGS.VM = 1): IOPL is not asked, the I/O permission bit map decides'
    : `CPL ${cpl} is greater than IOPL ${iopl}: the I/O permission bit map decides`;
  return { check: isV86 ? 'mode' : 'CPL', verdict: 'goes on', text };
}

function typeCheck({ reason, tssAttr }: IoRefusal): IoCheck {
  if (reason === IO_REFUSED_NO_TSS) {
    return {
      check: 'TSS type',
      verdict: 'refuses',
      text: 'TR holds no present TSS, so there is no I/O permission bit map',
    };
  }
  const type = systemType(tssAttr);
  const width = (type & TYPE_32) !== 0 ? '32' : '16';
  const busy = (type & TYPE_BUSY) !== 0 ? 'busy' : 'available';
  const what = `TR holds a ${width}-bit TSS (type ${type}, ${busy})`;
  return reason === IO_REFUSED_TSS_TYPE
    ? { check: 'TSS type', verdict: 'refuses', text: `${what}, which has no I/O permission bit map` }
    : { check: 'TSS type', verdict: 'goes on', text: what };
}

function limitCheck({ reason, tssLimit }: IoRefusal): IoCheck {
  const field = `the I/O map base address is at offsets ${IO_MAP_BASE_OFFSET} and ${IO_MAP_BASE_OFFSET + 1} of the TSS`;
  return reason === IO_REFUSED_TSS_LIMIT
    ? {
        check: 'TSS limit',
        verdict: 'refuses',
        text: `${field}, and the TSS limit is ${hex(tssLimit)} (below ${TSS32_MIN_LIMIT})`,
      }
    : { check: 'TSS limit', verdict: 'goes on', text: `${field}, within the TSS limit ${hex(tssLimit)}` };
}

function mapCheck({ reason, port, mapBase, offset, tssLimit }: IoRefusal): IoCheck {
  const where = `map base ${hex(mapBase)} + ${hex(port)} / 8: the processor reads the bytes at offsets ${hex(offset)} and ${hex(offset + 1)} of the TSS`;
  return reason === IO_REFUSED_MAP_LIMIT
    ? {
        check: 'map base',
        verdict: 'refuses',
        text: `${where}, which are not both within the TSS limit ${hex(tssLimit)}`,
      }
    : { check: 'map base', verdict: 'goes on', text: where };
}

function bitCheck({ reason, port, size, offset, bits }: IoRefusal): IoCheck {
  const values = `the bytes are ${hex(bits & 0xff)} and ${hex(bits >> 8)}`;
  if (reason !== IO_REFUSED_BIT) {
    return {
      check: 'bit map',
      verdict: 'allows',
      text: `${values}: the bits of ${bytes(size)} from port ${hex(port)} on are clear`,
    };
  }
  let bit = port & 7;
  while (((bits >> bit) & 1) === 0) bit++;
  const refused = (port & ~7) + bit;
  const text = `${values}: bit ${bit & 7} of the byte at offset ${hex(offset + (bit >> 3))} is set, which is port ${hex(refused)}`;
  return { check: 'bit map', verdict: 'refuses', text };
}

/** The checks of an access for which the bit map was asked, up to the one that decided. */
export function refusalChecks(found: IoRefusal): IoCheck[] {
  const all = [levelCheck(found), typeCheck(found), limitCheck(found), mapCheck(found), bitCheck(found)];
  const decided = all.findIndex(({ verdict }) => verdict !== 'goes on');
  return all.slice(0, decided + 1);
}

/** One line about a refused access; null when none was refused. */
export function refusalLine(found: IoRefusal): string | null {
  if (found.reason === IO_NOT_REFUSED) return null;
  const { port, size } = found;
  const [level, ...rest] = refusalChecks(found);
  const why = rest.filter(({ verdict }) => verdict === 'refuses');
  const texts = [level, ...why].map(({ text }) => text);
  return `#GP(0) of an I/O instruction (${bytes(size)} at port ${hex(port)}): ${texts.join('; ')}`;
}

/** TSS types as a busy one. */
const TSS_ATTR = { none: AR_UNUSABLE, '16': AR_P | 3, '32': AR_P | 11 } as const;
/** Holds every byte that a map base and a port can name. */
const TSS_BYTES = 0x14000;
const IOPL_SHIFT = 12;

/** A processor as the question describes it. */
function processorOf(question: IoFaultQuestion): Cpu {
  const memory = new GuestMemory();
  const tss = new Uint8Array(TSS_BYTES);
  tss.set(question.bitmap, question.mapBase);
  tss[IO_MAP_BASE_OFFSET] = question.mapBase & 0xff;
  tss[IO_MAP_BASE_OFFSET + 1] = question.mapBase >> 8;
  memory.addSlot(0, 0, tss, false);
  const cpu = new Cpu(memory);
  if (question.mode !== 'real') cpu.cr0 |= X86_CR0_PE;
  if (question.mode === 'v86') cpu.sysFlags |= X86_EFLAGS_VM;
  cpu.sysFlags |= question.iopl << IOPL_SHIFT;
  cpu.setSegment(SEG_SS, 0, 0, 0xffff_ffff, AR_P | AR_S | AR_TYPE_WRITABLE | (question.cpl << AR_DPL_SHIFT));
  cpu.setSegment(SEG_TR, 0, 0, question.tssLimit, TSS_ATTR[question.tss]);
  return cpu;
}

/** Asks the CPU, and explains what it says. */
export function explainIoFault(question: IoFaultQuestion): IoFaultExplanation {
  const { port, size, mode, cpl, iopl } = question;
  const cpu = processorOf(question);
  const allowed = portAllowed(cpu, port, size);
  let checks: IoCheck[];
  if (mode === 'real') {
    checks = [
      { check: 'mode', verdict: 'allows', text: 'real-address mode (CR0.PE = 0): I/O is not checked' },
    ];
  } else if (mode === 'protected' && cpl <= iopl) {
    const text = `CPL ${cpl} is not greater than IOPL ${iopl}: the I/O permission bit map is not asked`;
    checks = [{ check: 'CPL', verdict: 'allows', text }];
  } else checks = refusalChecks(cpu.ioRefusal);
  return {
    schemaVersion: IO_FAULT_SCHEMA_VERSION,
    port,
    size,
    allowed,
    exception: allowed ? null : '#GP(0)',
    checks,
  };
}
