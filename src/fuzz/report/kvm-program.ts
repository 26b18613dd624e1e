/**
 * A C program that runs one string-io case on the host's /dev/kvm and prints every exit and the registers at the end. All ports
 * are userspace's there: a device in the kernel cannot be put in from outside. Reads are answered with 0xA5.
 *
 * Linux: Documentation/virt/kvm/api.rst, KVM_SET_SREGS, KVM_SET_REGS, KVM_RUN.
 */
import { GDT_BASE, GDT_LIMIT, IDT_BASE, IDT_LIMIT, MACHINE_RAM_BYTES, TSS_BASE } from '../case-layout.ts';
import { type CasePaging, pagingBytes, pagingRegisters } from '../case-paging.ts';
import { CASE_REGISTERS, CASE_SEGMENTS, type StringIoCase } from '../string-io-case.ts';

const EFLAGS_VM = 0x2_0000;
const PAGE_BYTES = 0x1000;
const WORDS_PER_LINE = 10;

/** @param bytes address, byte, address, byte… of what the case puts into RAM, without its page tables. */
export function kvmProgram(test: StringIoCase, bytes: readonly number[]): string[] {
  const pokes: string[] = [];
  for (let i = 0; i < bytes.length; i += 2) pokes.push(`  ram[${hex(bytes[i])}] = ${hex(bytes[i + 1])};`);
  const flags = test.mode === 'v86' ? EFLAGS_VM : 0;
  return [
    '/* cc -o case case.c && ./case */',
    '#include <fcntl.h>',
    '#include <linux/kvm.h>',
    '#include <stdio.h>',
    '#include <string.h>',
    '#include <sys/ioctl.h>',
    '#include <sys/mman.h>',
    '#include <unistd.h>',
    '',
    'int main(void)',
    '{',
    '  int kvm = open("/dev/kvm", O_RDWR);',
    '  int vm = ioctl(kvm, KVM_CREATE_VM, 0);',
    `  unsigned char *ram = mmap(0, ${hex(MACHINE_RAM_BYTES)}, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);`,
    `  struct kvm_userspace_memory_region slot = { 0, 0, 0, ${hex(MACHINE_RAM_BYTES)}, (unsigned long)ram };`,
    '  if (kvm < 0 || vm < 0 || ram == MAP_FAILED) { perror("/dev/kvm"); return 2; }',
    ...tables(),
    ...pokes,
    ...(test.paging === null ? [] : pageTables(test.paging)),
    '  if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot) < 0) { perror("memory"); return 2; }',
    '  int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);',
    '  int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);',
    '  struct kvm_run *run = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);',
    '  struct kvm_sregs sregs;',
    '  ioctl(vcpu, KVM_GET_SREGS, &sregs);',
    ...controlRegisters(test),
    `  sregs.tr.base = ${hex(TSS_BASE)}; sregs.tr.limit = ${hex(test.tss.limit)}; sregs.tr.type = 11; sregs.tr.selector = 0x18;`,
    ...CASE_SEGMENTS.map((name) => segment(test, name)),
    `  sregs.idt.base = ${test.mode === 'real' ? 0 : hex(IDT_BASE)}; sregs.idt.limit = ${test.mode === 'real' ? '0x3ff' : hex(IDT_LIMIT)};`,
    `  sregs.gdt.base = ${hex(GDT_BASE)}; sregs.gdt.limit = ${hex(GDT_LIMIT)};`,
    '  if (ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0) { perror("sregs"); return 2; }',
    '  struct kvm_regs regs = { 0 };',
    ...CASE_REGISTERS.map((name) => {
      const value = name === 'eflags' ? test.registers.eflags | flags : test.registers[name];
      return `  regs.r${name === 'eflags' ? 'flags' : name.slice(1)} = ${hex(value)};`;
    }),
    '  ioctl(vcpu, KVM_SET_REGS, &regs);',
    '  while (ioctl(vcpu, KVM_RUN, 0) == 0 && run->exit_reason == KVM_EXIT_IO) {',
    '    unsigned char *data = (unsigned char *)run + run->io.data_offset;',
    '    int in = run->io.direction == KVM_EXIT_IO_IN;',
    '    if (in) memset(data, 0xa5, run->io.size * run->io.count);',
    '    printf("exit %s port 0x%x size %d count %u data", in ? "in" : "out", run->io.port, run->io.size, run->io.count);',
    '    for (unsigned i = 0; i < run->io.size * run->io.count; i++) printf(" %02x", data[i]);',
    '    printf("\\n");',
    '  }',
    '  ioctl(vcpu, KVM_GET_REGS, &regs);',
    '  printf("exit reason %u\\n", run->exit_reason);',
    ...CASE_REGISTERS.map((name) => {
      const field = name === 'eflags' ? 'flags' : name.slice(1);
      return `  printf("${name}=0x%llx\\n", regs.r${field});`;
    }),
    '  return 0;',
    '}',
  ];
}

function controlRegisters({ mode, paging }: StringIoCase): string[] {
  if (mode === 'real') return ['  sregs.cr0 = 0x10;'];
  if (paging === null) return ['  sregs.cr0 = 0x11;'];
  const { isWriteProtected, isPae, hasPse, root } = pagingRegisters(paging);
  const cr4 = (isPae ? 0x20 : 0) | (hasPse ? 0x10 : 0);
  return [
    `  sregs.cr0 = ${isWriteProtected ? '0x80010011' : '0x80000011'};`,
    `  sregs.cr3 = ${hex(root)}; sregs.cr4 = ${hex(cr4)};`,
  ];
}

/** Page directory, page table, pointers: an array of words each. */
function pageTables(paging: CasePaging): string[] {
  const bytes = pagingBytes(paging);
  const words = new Map<number, Uint32Array>();
  for (let i = 0; i < bytes.length; i += 2) {
    const page = bytes[i] - (bytes[i] % PAGE_BYTES);
    const table = words.get(page) ?? new Uint32Array(PAGE_BYTES / 4);
    words.set(page, table);
    table[(bytes[i] - page) >> 2] |= bytes[i + 1] << (8 * (bytes[i] & 3));
  }
  return [...words].flatMap(([page, table]) => {
    const used = table.subarray(0, table.findLastIndex((word) => word !== 0) + 1);
    const lines = [`  static const unsigned table_${page.toString(16)}[] = {`];
    for (let i = 0; i < used.length; i += WORDS_PER_LINE)
      lines.push(`    ${[...used.subarray(i, i + WORDS_PER_LINE)].map(hex).join(', ')},`);
    return [
      ...lines,
      '  };',
      `  memcpy(ram + ${hex(page)}, table_${page.toString(16)}, ${4 * used.length});`,
    ];
  });
}

/** Handlers of one HLT each, for real mode and, through gates, for protected mode. */
function tables(): string[] {
  const handlers = hex(IDT_BASE + 0x900);
  return [
    '  for (int v = 0; v < 256; v++) {',
    `    unsigned at = ${handlers} + (v & 31) * 4;`,
    `    unsigned char *gate = ram + ${hex(IDT_BASE)} + v * 8;`,
    '    gate[0] = at; gate[1] = at >> 8; gate[2] = 8; gate[5] = 0x8e; gate[6] = at >> 16; gate[7] = at >> 24;',
    '    ram[at] = 0xf4; ram[0x600 + (v & 31) * 4] = 0xf4;',
    '    ram[v * 4] = (v & 31) * 4; ram[v * 4 + 1] = 6;',
    '  }',
    `  memcpy(ram + ${hex(GDT_BASE + 8)}, "\\xff\\xff\\0\\0\\0\\x9b\\xcf\\0\\xff\\xff\\0\\0\\0\\x93\\xcf", 15);`,
    `  ram[${hex(TSS_BASE + 5)}] = ${hex((TSS_BASE >> 8) & 0xff)}; ram[${hex(TSS_BASE + 6)}] = ${hex(TSS_BASE >> 16)}; ram[${hex(TSS_BASE + 8)}] = 16;`,
  ];
}

function segment(test: StringIoCase, name: (typeof CASE_SEGMENTS)[number]): string {
  const { selector, limit, access } = test.segments[name];
  const isCode = name === 'cs';
  const is32 = test.mode === 'prot32' && (isCode || name === 'ss') ? 1 : 0;
  const type = isCode && test.mode !== 'v86' ? 11 : access === 'ro' ? 1 : 3;
  const fields = [hex(selector * 16), hex(limit), hex(selector), type, access === 'null' ? 0 : 1, test.cpl];
  const rest = [is32, 1, 0, limit > 0xf_ffff ? 1 : 0, 0, access === 'null' ? 1 : 0];
  return `  sregs.${name} = (struct kvm_segment){ ${[...fields, ...rest].join(', ')} };`;
}

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}
