/**
 * Bugs to plant: each is one textual change of a file of src/. `npm run mutants` makes them one by one in a copy of the build
 * and lets `pio86 fuzz` find them.
 */

/** One planted bug. */
export interface Mutant {
  /** Short name, unique. */
  readonly name: string;
  /** Below src/. */
  readonly file: string;
  /** Text that is there exactly once. */
  readonly find: string;
  readonly replace: string;
  /** Who finds it. */
  readonly target: 'string-io' | 'devices';
}

const EM_IO = 'emulate/em-io.ts';
const EMULATE = 'emulate/emulate-insn.ts';
const FAST = 'emulate/fast-pio.ts';
const PIO = 'emulate/pio.ts';
const CPU_CHECK = 'cpu/io-permission.ts';
const KVM_CHECK = 'emulate/io-permission.ts';

function stringIo(name: string, file: string, find: string, replace: string): Mutant {
  return { name, file, find, replace, target: 'string-io' };
}

function devices(name: string, file: string, find: string, replace: string): Mutant {
  return { name, file, find, replace, target: 'devices' };
}

// biome-ignore format: one bug a line.
export const MUTANTS: readonly Mutant[] = [
  stringIo('page-batch-off-by-one', EM_IO, 'PAGE_SIZE - offset;', 'PAGE_SIZE - offset + 1;'),
  stringIo('batch-of-the-whole-cache', EM_IO, 'READ_CACHE_SIZE / size, count)', 'READ_CACHE_SIZE / 4, count)'),
  stringIo('df-ignored-in-batch', EM_IO, '&& (cpu.sysFlags & X86_EFLAGS_DF) === 0) {', ') {'),
  stringIo('df-ignored-by-index', EMULATE, '((cpu.sysFlags & X86_EFLAGS_DF) !== 0 ? -ctxt.opBytes : ctxt.opBytes)', 'ctxt.opBytes'),
  stringIo('outs-ignores-override', EMULATE, 'readSource(vcpu, insn.seg, addrMask)', 'readSource(vcpu, 3, addrMask)'),
  stringIo('ins-writes-to-ds', EMULATE, 'segmentedWrite(cpu, SEG_ES', 'segmentedWrite(cpu, 3'),
  stringIo('rep-ins-writes-to-ds', EMULATE, 'segmentedWriteBlock(cpu, SEG_ES', 'segmentedWriteBlock(cpu, 3'),
  stringIo('repne-ignored', EMULATE, 'const isRep = isString && insn.rep !== REP_NONE;', 'const isRep = isString && insn.rep === 1;'),
  stringIo('zero-count-executed', EMULATE, 'if (isRep && repCount(vcpu, addrMask) === 0) {', 'if (isRep && repCount(vcpu, addrMask) < 0) {'),
  stringIo('rcx-width', EM_IO, ': vcpu.cpu.r16[CX];', ': vcpu.cpu.gpr[ECX] >>> 0;'),
  stringIo('di-does-not-wrap', EMULATE, 'else cpu.r16[DI] += bytes;', 'else cpu.gpr[EDI] += bytes;'),
  stringIo('si-does-not-wrap', EMULATE, 'cpu.r16[SI] += bytes;', 'cpu.gpr[ESI] += bytes;'),
  stringIo('bitmap-second-byte', CPU_CHECK, 'found.bits = readSystem16(cpu, tss + found.offset);', 'found.bits = readSystem16(cpu, tss + found.offset) & 0xff;'),
  stringIo('tss-limit-of-the-processor', CPU_CHECK, 'found.offset + 1 > tssLimit', 'found.offset > tssLimit'),
  stringIo('tss-limit-of-the-emulator', KVM_CHECK, 'if (at > limit) return false;', 'if (at + 1 > limit) return false;'),
  stringIo('iopl-compare-of-the-processor', CPU_CHECK, 'cpl(cpu) > iopl(cpu);', 'cpl(cpu) >= iopl(cpu);'),
  stringIo('iopl-compare-of-the-emulator', KVM_CHECK, 'return cpl(cpu) > iopl(cpu);', 'return cpl(cpu) >= iopl(cpu);'),
  stringIo('iopl-in-virtual-8086-mode', CPU_CHECK, '(cpu.sysFlags & X86_EFLAGS_VM) !== 0 || cpl', 'cpl'),
  stringIo('in-completion-without-rip-check', FAST, 'if (kvmGetLinearRip(cpu) !== pio.linearRip) {', 'if (pio.count < 0) {'),
  stringIo('out-completion-without-rip-check', FAST, 'if (kvmGetLinearRip(vcpu.cpu) !== pio.linearRip) return 1;', ''),
  stringIo('fast-in-clears-eax', FAST, 'storeElement(val, 0, 4, size === 4 ? 0 : vcpu.cpu.gpr[EAX]);', 'storeElement(val, 0, 4, 0);'),
  stringIo('element-size-of-in', EM_IO, 'ctxt.ioReadPos += size;', 'ctxt.ioReadPos += 1;'),
  stringIo('second-byte-of-an-element', PIO, 'data[at + 1] = value >>> 8;', 'data[at + 1] = value >>> 7;'),
  stringIo('vanished-device-leaves-bytes', PIO, 'data.fill(0, at, count * size);', ''),
  stringIo('silent-device-stores', PIO, 'else if (value !== IO_NOTHING_STORED) {', 'else {'),
  stringIo('port-of-fifteen-bits', 'uapi/vmx.ts', 'return qual >>> IO_QUAL_PORT_SHIFT;', 'return (qual >>> IO_QUAL_PORT_SHIFT) & 0x7fff;'),
  stringIo('block-without-limit-check', 'cpu/access.ts', 'if (!checkSegment(cpu, seg, off, len, true)) return false;', 'if (!checkSegment(cpu, seg, off, 1, true)) return false;'),
  stringIo('access-beyond-its-device', 'bus/io-bus.ts', 'return addr1 + len1 > addr2 + len2 ? 1 : 0;', 'return addr1 >= addr2 + len2 ? 1 : 0;'),
  stringIo('element-across-pages-at-once', 'cpu/access.ts', 'if (((cpu.segBase[seg] + off) & PAGE_MASK) <= PAGE_SIZE - size) {', 'if (size < 8) {'),
  stringIo('dirty-flag-forgotten', 'cpu/paging.ts', 'isWrite ? PT_ACCESSED | PT_DIRTY : PT_ACCESSED', 'PT_ACCESSED'),
  stringIo('write-protection-of-the-supervisor', 'cpu/paging.ts', '(access & PFERR_USER_MASK) === 0 && (cpu.cr0 & X86_CR0_WP) === 0;', '(access & PFERR_USER_MASK) === 0;'),
  stringIo('page-fault-without-user-bit', 'cpu/paging.ts', 'what | (access & (PFERR_WRITE_MASK | PFERR_USER_MASK))', 'what | (access & PFERR_WRITE_MASK)'),
  devices('pit-latch-byte-order', 'devices/i8254-ports.ts', 'c.count_latched = RW_STATE_MSB;\n      return c.latched_count & 0xff;', 'c.count_latched = RW_STATE_MSB;\n      return c.latched_count >> 8;'),
  devices('pit-second-latch-wins', 'devices/i8254-counter.ts', 'if (c.count_latched !== 0) return;', ''),
  devices('pit-count-of-zero', 'devices/i8254-timer.ts', 'val === 0 ? PIT_MAX_COUNT : val;', 'val === 0 ? 1 : val;'),
  devices('pit-shortest-period', 'devices/i8254-timer.ts', 'if (isPeriod && ps.period < MIN_TIMER_PERIOD_NS) ps.period = MIN_TIMER_PERIOD_NS;', ''),
  devices('pit-ticks-survive-a-mask', 'devices/i8254-timer.ts', 'if (!mask) pit.fn.kvmPitResetReinject(pit);', ''),
  devices('pic-mask-ignored', 'devices/i8259-priority.ts', 'pic.fn.getPriority(s, s.irr & ~s.imr)', 'pic.fn.getPriority(s, s.irr)'),
  devices('pic-level-as-edge', 'devices/i8259-priority.ts', 'if ((s.elcr & (1 << irq)) === 0) s.irr &= ~(1 << irq);', 's.irr &= ~(1 << irq);'),
  devices('pic-rotation-off-by-one', 'devices/i8259-ports.ts', 'if (cmd === OCW2_ROTATE_ON_NON_SPECIFIC_EOI) s.priority_add = (irq + 1) & 7;', 'if (cmd === OCW2_ROTATE_ON_NON_SPECIFIC_EOI) s.priority_add = irq & 7;'),
  devices('pic-own-level-interrupts', 'devices/i8259-priority.ts', 'return priority < pic.fn.getPriority(s, inService)', 'return priority <= pic.fn.getPriority(s, inService)'),
];
