/** Descriptor-table, control and debug registers, HLT, CPUID, RDTSC, MSRs. */
import { beforeEach, describe, expect, it } from 'vitest';
import { EXIT_REASON_CPUID, EXIT_REASON_HLT, EXIT_REASON_PREEMPTION_TIMER } from '../../../src/uapi/vmx.ts';
import { check, rows, TestCpu } from './driver.ts';

const UD = 6;
const GP = 13;

describe('HLT and CPUID', () => {
  it.each([
    ['HLT', '26 f4', EXIT_REASON_HLT, 2],
    ['CPUID', '0f a2', EXIT_REASON_CPUID, 2],
  ])('%s leaves with EIP at it and is not counted', (_, code, reason, len) => {
    const test = new TestCpu().reset({}).poke('eip', `90 ${code}`);
    expect(test.run(10)).toBe(reason);
    expect(test.state).toMatchObject({ eip: 0x101, eax: 0x1111_a1a2 });
    expect(test.cpu.retired).toBe(1);
    expect(test.cpu.exitReason).toBe(reason);
    expect(test.cpu.exitInstructionLength).toBe(len);
  });
});

describe('the time-stamp counter', () => {
  it('counts ticks: instructions, iterations and faults', () => {
    const test = new TestCpu().reset({ ecx: 4 }).poke('eip', 'f3 aa 90 0f 31 89 c3 0f 31');
    test.cpu.ticksAtEntry = 1000;
    expect(test.run(20 - 11)).toBe(EXIT_REASON_PREEMPTION_TIMER);
    // Four iterations, the pass that ends them, NOP, then RDTSC as the seventh tick.
    expect(test.state.ebx & 0xffff).toBe(1007);
    expect(test.state).toMatchObject({ eax: 1009, edx: 0 });
  });

  it('has 64 bits', () => {
    const test = new TestCpu().reset({}).poke('eip', '0f 31');
    test.cpu.ticksAtEntry = 5 * 2 ** 32 + 0xffff_fff0;
    test.run(1);
    expect(test.state).toMatchObject({ eax: 0xffff_fff1, edx: 5 });
  });

  it('is written through MSR 10H and read back later', () => {
    const test = new TestCpu().reset({ ecx: 0x10, eax: 0xffff_ffff, edx: 2 });
    test.cpu.ticksAtEntry = 5_000_000;
    test.poke('eip', '0f 30 0f 32').run(2);
    expect(test.state).toMatchObject({ eax: 0, edx: 3 });
  });

  it.each(
    rows([
      { asm: 'rdmsr of another register', code: '0f 32', in: { ecx: 0x11 }, fault: GP },
      { asm: 'wrmsr of another register', code: '0f 30', in: { ecx: 0x11 }, fault: GP },
      { asm: 'rdpmc', code: '0f 33', fault: GP },
      { asm: 'sysenter in real mode', code: '0f 34', fault: GP },
      { asm: 'sysexit in real mode', code: '0f 35', fault: GP },
    ]),
  )('%s is #GP', (_, row) => {
    check(row);
  });
});

describe('MOV CRn', () => {
  it.each(
    rows([
      { asm: 'mov eax,cr0 reads 32 bits without a prefix', code: '0f 20 c0', out: { eax: 0x10 } },
      {
        asm: 'mov cr0,eax keeps the bits that exist, and ET',
        code: '0f 22 c0',
        in: { eax: 0x7fff_ffce },
        out: { cr0: 0x6005_001e },
      },
      { asm: 'mov cr0,eax with PG and no PE', code: '0f 22 c0', in: { eax: 0x8000_0010 }, fault: GP },
      { asm: 'mov cr0,eax with NW and no CD', code: '0f 22 c0', in: { eax: 0x2000_0010 }, fault: GP },
      {
        asm: 'mov cr0,eax with CD alone',
        code: '0f 22 c0',
        in: { eax: 0x4000_0010 },
        out: { cr0: 0x4000_0010 },
      },
      { asm: 'the mod field of mov cr0 does not matter', code: '0f 20 00', out: { eax: 0x10 } },
      { asm: 'mov cr4,eax with a reserved bit', code: '0f 22 e0', in: { eax: 0x200 }, fault: GP },
      { asm: 'mov cr1', code: '0f 20 c8', fault: UD },
      { asm: 'mov to cr1', code: '0f 22 c8', fault: UD },
      { asm: 'mov cr5', code: '0f 20 e8', fault: UD },
      { asm: 'mov cr6', code: '0f 20 f0', fault: UD },
      { asm: 'mov cr7', code: '0f 20 f8', fault: UD },
      { asm: 'lock mov eax,cr0 is not CR8 here', code: 'f0 0f 20 c0', fault: UD },
    ]),
  )('%s', (_, row) => {
    check(row);
  });

  it('keeps CR2, CR3 and CR4', () => {
    const test = new TestCpu().reset({ eax: 0x1234_5678, ebx: 0x1ff, ecx: 0x8765_4321 });
    test.poke('eip', '0f 22 d0 0f 22 d9 0f 22 e3 0f 20 d6 0f 20 df 0f 20 e5').run(6);
    expect(test.state).toMatchObject({ esi: 0x1234_5678, edi: 0x8765_4321, ebp: 0x1ff });
  });
});

describe('MSW', () => {
  it.each(
    rows([
      {
        asm: 'smsw ax writes 16 bits',
        code: '0f 01 e0',
        in: { cr0: 0x6000_0010 },
        out: { eax: 0x1111_0010 },
      },
      {
        asm: 'o32 smsw eax writes CR0',
        code: '66 0f 01 e0',
        in: { cr0: 0x6000_0010 },
        out: { eax: 0x6000_0010 },
      },
      {
        asm: 'o32 smsw [bx] writes 16 bits',
        code: '66 0f 01 27',
        in: { cr0: 0x6000_0010 },
        ram: { 'ds:10': 'ff ff ff ff' },
        ramOut: { 'ds:10': '10 00' },
      },
      { asm: 'lmsw ax sets MP, EM and TS', code: '0f 01 f0', in: { eax: 0xfffe }, out: { cr0: 0x1e } },
      { asm: 'lmsw ax clears them', code: '0f 01 f0', in: { eax: 0, cr0: 0x1e }, out: { cr0: 0x10 } },
      {
        asm: 'o32 lmsw eax takes 16 bits',
        code: '66 0f 01 f0',
        in: { eax: 0x8000_0002 },
        out: { cr0: 0x12 },
      },
      { asm: 'lmsw [bx]', code: '0f 01 37', ram: { 'ds:10': '08 00' }, out: { cr0: 0x18 } },
      { asm: 'lmsw that faults', code: '0f 01 37', in: { ebx: 0xffff }, fault: GP },
      { asm: 'clts', code: '0f 06', in: { cr0: 0x1e }, out: { cr0: 0x16 } },
    ]),
  )('%s', (_, row) => {
    check(row);
  });
});

describe('GDTR and IDTR', () => {
  let test: TestCpu;

  beforeEach(() => {
    test = new TestCpu().reset({}).poke('ds:0010', '34 12 78 56 bc 9a');
  });

  it.each([
    ['lgdt with a 16-bit operand takes 24 bits of base', '0f 01 17', 0x00bc_5678],
    ['lgdt with a 32-bit operand takes 32', '66 0f 01 17', 0x9abc_5678],
  ])('%s', (_, code, base) => {
    test.poke('eip', code).run(1);
    expect([test.cpu.gdtLimit, test.cpu.gdtBase >>> 0]).toEqual([0x1234, base]);
    expect(test.cpu.idtLimit).toBe(0xffff);
  });

  it.each([
    ['lidt with a 16-bit operand takes 24 bits of base', '0f 01 1f', 0x00bc_5678],
    ['lidt with a 32-bit operand takes 32', '66 0f 01 1f', 0x9abc_5678],
  ])('%s', (_, code, base) => {
    test.poke('eip', code).run(1);
    expect([test.cpu.idtLimit, test.cpu.idtBase >>> 0]).toEqual([0x1234, base]);
    expect(test.cpu.gdtLimit).toBe(0xffff);
  });

  it.each([
    ['sgdt', '0f 01 07'],
    ['o32 sgdt', '66 0f 01 07'],
    ['sidt', '0f 01 0f'],
    ['o32 sidt', '66 0f 01 0f'],
  ])('%s stores all 32 bits of base', (name, code) => {
    test.cpu.gdtBase = 0x8123_4567 | 0;
    test.cpu.gdtLimit = 0xabcd;
    test.cpu.idtBase = 0x7654_3210;
    test.cpu.idtLimit = 0x3ff;
    test.poke('eip', code).run(1);
    expect(test.peek('ds:0010', 6)).toBe(name.endsWith('sgdt') ? 'cd ab 67 45 23 81' : 'ff 03 10 32 54 76');
  });

  it.each([
    ['lgdt', '0f 01 17'],
    ['lidt', '0f 01 1f'],
  ])('%s whose base straddles the limit changes nothing', (_, code) => {
    test.set({ ebx: 0xfffb }).poke('eip', code).run(1);
    expect(test.vector).toBe(GP);
    expect([test.cpu.gdtLimit, test.cpu.idtLimit, test.cpu.gdtBase, test.cpu.idtBase]).toEqual([
      0xffff, 0xffff, 0, 0,
    ]);
  });
});

describe('debug registers', () => {
  it('keep what is written, with the fixed bits of DR6 and DR7', () => {
    const test = new TestCpu().reset({ eax: 0x1234_5678, ebx: 0, ecx: 0xffff_dfff });
    test.poke('eip', '0f 23 c0 0f 23 f3 0f 23 f9 0f 21 c2 0f 21 f6 0f 21 ff').run(6);
    expect(test.state).toMatchObject({ edx: 0x1234_5678, esi: 0xffff_0ff0, edi: 0xffff_0fff });
  });

  it('4 and 5 are 6 and 7, or #UD with CR4.DE', () => {
    const test = new TestCpu().reset({}).poke('eip', '0f 21 e0 0f 21 eb 0f 23 e9 0f 21 e0');
    test.set({ ecx: 0x455 }).run(3);
    expect(test.state).toMatchObject({ eax: 0xffff_0ff0, ebx: 0x400 });
    expect(test.cpu.dr[7]).toBe(0x455);
    test.cpu.cr4 = 8;
    test.run(1);
    expect(test.vector).toBe(UD);
    expect(test.frame.ip).toBe(0x109);
  });

  it.each(['0f 21 c0', '0f 23 f8', '0f 21 e0'])(
    'with DR7.GD any access is #DB and clears it (%s)',
    (code) => {
      const test = new TestCpu().reset({}).poke('eip', code);
      test.cpu.dr[7] = 0x2400;
      test.cpu.debug.update(test.cpu);
      test.run(1);
      expect(test.vector).toBe(1);
      expect(test.frame.ip).toBe(0x100);
      expect([test.cpu.dr[7], test.cpu.dr[6] & 0x2000]).toEqual([0x400, 0x2000]);
      expect(test.state.eax).toBe(0x1111_a1a2);
    },
  );
});

describe('instructions that do nothing here', () => {
  it.each(
    rows([
      { asm: 'invd', code: '0f 08' },
      { asm: 'wbinvd', code: '0f 09' },
      { asm: 'rep wbinvd', code: 'f3 0f 09' },
      { asm: 'invlpg [bx] beyond the limit', code: '0f 01 3f', in: { ebx: 0xffff } },
      { asm: 'nop [bx] beyond the limit', code: '0f 1f 07', in: { ebx: 0xffff } },
      { asm: 'pause', code: 'f3 90' },
      { asm: 'prefetchw [bx] beyond the limit', code: '0f 0d 0f', in: { ebx: 0xffff } },
    ]),
  )('%s', (_, row) => {
    check(row);
  });
});
