/**
 * Targets of the fuzzer besides string-io: they find what is planted, and what they print can be replayed and read in other forms.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { createBpftraceTarget } from '../../src/cli/fuzz/bpftrace-target.ts';
import { createLoadersTarget } from '../../src/cli/fuzz/loaders-target.ts';
import { I8254 } from '../../src/devices/i8254.ts';
import { Pic8259 } from '../../src/devices/i8259.ts';
import type { FuzzTarget } from '../../src/fuzz/engine/fuzz-target.ts';
import { runShard } from '../../src/fuzz/engine/shard.ts';
import { createBusTarget } from '../../src/fuzz/targets/bus.ts';
import { createDevicesTarget } from '../../src/fuzz/targets/devices.ts';
import { createInsnTarget, PLAIN } from '../../src/fuzz/targets/insn.ts';
import { StringIoTarget } from '../../src/fuzz/targets/string-io.ts';
import { Jit } from '../../src/jit/engine.ts';

const { readIrq } = Pic8259.prototype;
const { run } = Jit.prototype;
const { onIrqMask } = I8254.prototype;
afterEach(() => {
  Pic8259.prototype.readIrq = readIrq;
  I8254.prototype.onIrqMask = onIrqMask;
  Jit.prototype.run = run;
});

describe('the targets', () => {
  it.each<[string, () => FuzzTarget, string]>([
    ['devices', createDevicesTarget, 'step=wait 5'],
    ['bus', createBusTarget, 'step=add id 0 slot 1 size 1 value 0'],
    ['insn', () => createInsnTarget(), 'step=code f3 6c'],
    ['loaders', createLoadersTarget, 'step=at 4 value 7'],
    ['bpftrace', createBpftraceTarget, 'step="BEGIN"'],
  ])('%s replays its own text and refuses other text', (name, create, step) => {
    const target = create();
    expect(target.name).toBe(name);
    expect(target.replay(`target=${name}\n${step}\n`)).toEqual({ isJudged: true, differences: [] });
    expect(() => target.replay(`target=${name}\nstep=what?`)).toThrow(/what\?/);
    expect(() => target.replay(step)).toThrow(/target=.* is missing/);
  });

  it.each<[string, () => void, number]>([
    [
      'a vector that is one too high',
      () => {
        Pic8259.prototype.readIrq = function (this: Pic8259) {
          return readIrq.call(this) + 1;
        };
      },
      1,
    ],
    [
      'ticks of the timer that survive a mask',
      () => {
        I8254.prototype.onIrqMask = () => {};
      },
      14,
    ],
  ])('devices finds %s, in few steps', async (_what, plant, most) => {
    plant();
    const target = createDevicesTarget();
    const { finding } = await runShard(target, { seed: 1, first: 0, count: 20_000 });
    const text = finding?.lines.join('\n') ?? '';
    expect(finding?.differences[0]).toMatch(/^step \d+: [\w ]+: expected \w+, got \w+$/);
    expect(text.match(/^step=/gm)?.length).toBeLessThanOrEqual(most);
    expect(target.replay(text).differences).toEqual(finding?.differences);
    Pic8259.prototype.readIrq = readIrq;
    I8254.prototype.onIrqMask = onIrqMask;
    expect(target.replay(text).differences).toEqual([]);
  });

  it('insn finds a variant that differs', async () => {
    const variant = {
      ...PLAIN,
      name: 'other',
      prepare: (vcpu: { quirks: number; forceEmulation: number }) => {
        vcpu.forceEmulation = 1;
      },
    };
    const { finding } = await runShard(createInsnTarget([variant]), { seed: 2, first: 0, count: 4000 });
    expect(finding?.differences.join('\n')).toMatch(/expected .*, other: /);
  });

  it('insn finds generated code that differs', async () => {
    Jit.prototype.run = function (this: Jit, cpu, left) {
      const remaining = run.call(this, cpu, left);
      cpu.gpr[0] ^= 1;
      return remaining;
    };
    const { finding } = await runShard(createInsnTarget(), { seed: 2, first: 0, count: 4000 });
    expect(finding?.differences.join('\n')).toMatch(/expected .*, generated code: /);
  });
});

describe('a string-io case in other forms', () => {
  const text = [
    'target=string-io',
    'mode=prot32',
    'cpl=3',
    'path=fast',
    'userspace=exit',
    'port-seed=0x1',
    'code=f3 6e',
    ...['eax', 'ebx', 'edi', 'ebp', 'eip'].map((name) => `${name}=0x0`),
    'ecx=0x2',
    'edx=0x3f8',
    'esi=0x10',
    'esp=0x1000',
    'eflags=0x3002',
    ...['cs', 'ds', 'es', 'fs', 'gs', 'ss'].map((name) => `${name}=0x1000 limit 0xffff`),
    'tss=limit 0x2fff map 0x68',
    'denied=0x80',
  ].join('\n');
  const target = new StringIoTarget();

  it('is a vitest test that replays it', () => {
    const lines = target.export(text, 'vitest');
    expect(lines).toContain("it('runs f3 6e (prot32, fast) as the reference model does', () => {");
    expect(lines).toContain('denied=0x80');
    expect(target.replay(text)).toMatchObject({ isJudged: true, differences: [] });
  });

  it('is a qtest script of its accesses', () => {
    const lines = target.export(text, 'qtest');
    expect(lines.slice(1)).toEqual([
      expect.stringMatching(/^outb 0x3f8 0x\w+$/),
      expect.stringMatching(/^outb 0x3f8 0x\w+$/),
    ]);
  });

  it('is a C program with its state', () => {
    const program = target.export(text, 'c').join('\n');
    expect(program).toContain('regs.rcx = 0x2;');
    expect(program).toContain(
      'sregs.cs = (struct kvm_segment){ 0x10000, 0xffff, 0x1000, 11, 1, 3, 1, 1, 0, 0, 0, 0 };',
    );
    expect(program).not.toContain('cr3');
    expect(program).toMatch(/ram\[0x10000\] = 0xf3;\n\s+ram\[0x10001\] = 0x6e;\n\s+ram\[0x10002\] = 0xf4;/);
  });

  it('is a C program with its page tables', () => {
    const program = target
      .export(`${text}\npaging=pae flags 0x7 wp\npage=0x5 frame 0x9 flags 0x5`, 'c')
      .join('\n');
    expect(program).toContain('sregs.cr0 = 0x80010011;');
    expect(program).toContain('sregs.cr3 = 0x119000; sregs.cr4 = 0x20;');
    expect(program).toMatch(
      /table_118000\[\] = \{\n\s+0x7, 0x0, 0x1007, 0x0, 0x2007, 0x0, 0x3007, 0x0, 0x4007, 0x0,\n\s+0x9005,/,
    );
  });
});
