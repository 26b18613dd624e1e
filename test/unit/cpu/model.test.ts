/** Processor models: what CPUID shows, which instructions there are, and which bits of CR4, EFLAGS and EFER. */
import { describe, expect, it } from 'vitest';
import { setCr4, setEfer } from '../../../src/cpu/control-registers.ts';
import { Cpu } from '../../../src/cpu/cpu.ts';
import { CPU_FEATURES } from '../../../src/cpu/cpu-features.ts';
import type { CpuModel } from '../../../src/cpu/cpu-model.ts';
import { getEflags, setEflags } from '../../../src/cpu/flags.ts';
import { GuestMemory } from '../../../src/cpu/memory.ts';
import { CPU_MODELS, cpuModelByName } from '../../../src/cpu/models/index.ts';
import { holdsMsr } from '../../../src/cpu/msrs.ts';
import * as f from '../../../src/decoder/features.ts';
import { lower } from '../../../src/decoder/lower.ts';
import { Op } from '../../../src/decoder/op.ts';
import { OP_TABLE } from '../../../src/decoder/op-table.ts';
import { hex } from './driver.ts';

/** One encoding of every row of the operation table that has a feature. */
const SAMPLES: Readonly<Record<string, string>> = {
  Adcx: '66 0f 38 f6 c1',
  Adox: 'f3 0f 38 f6 c1',
  Bswap: '0f c8',
  Cmpxchg: '0f b1 07',
  Cmpxchg8b: '0f c7 0f',
  Cpuid: '0f a2',
  Crc32: 'f2 0f 38 f1 c1',
  Invd: '0f 08',
  Invlpg: '0f 01 3f',
  Lzcnt: 'f3 0f bd c1',
  Movbe: '0f 38 f0 07',
  Nop: '0f 1f 07',
  Popcnt: 'f3 0f b8 c1',
  Prefetch: '0f 0d 07',
  Prefetchw: '0f 0d 0f',
  Prefetchwt1: '0f 0d 17',
  Rdmsr: '0f 32',
  Rdpmc: '0f 33',
  Rdtsc: '0f 31',
  Rdtscp: '0f 01 f9',
  Reservednop: '0f 18 c0',
  Sysenter: '0f 34',
  Sysexitd: '0f 35',
  Tzcnt: 'f3 0f bc c1',
  VEX_Andn: 'c4 e2 70 f2 c2',
  VEX_Bextr: 'c4 e2 70 f7 c2',
  VEX_Blsi: 'c4 e2 78 f3 da',
  VEX_Blsmsk: 'c4 e2 78 f3 d2',
  VEX_Blsr: 'c4 e2 78 f3 ca',
  Wbinvd: '0f 09',
  Wrmsr: '0f 30',
  Xadd: '0f c1 07',
};

/** CMOVcc in encoding order. */
function sampleOf(name: string, sub: number): string | undefined {
  return name.startsWith('Cmov') ? `0f ${(0x40 + sub).toString(16)} c1` : SAMPLES[name];
}

function opOf(model: CpuModel, code: string, is32 = 1): number {
  const bytes = Uint8Array.from([...hex(code), ...new Array<number>(15).fill(0)]);
  return lower(bytes, 15, is32, model.features)?.op ?? -1;
}

/** Whether CPUID of the model has the bit. */
function shows(model: CpuModel, feature: number): boolean {
  const cpuid = CPU_FEATURES.find((row) => row.feature === feature)?.cpuid ?? null;
  if (cpuid === null) return false;
  const entry = model.cpuid.find((e) => e.function === cpuid.leaf);
  return entry !== undefined && ((entry[cpuid.register] >>> cpuid.bit) & 1) === 1;
}

/** Features without a bit of their own, and which models have them. */
const WITHOUT_BIT: ReadonlyMap<number, readonly string[]> = new Map([
  [f.FEATURE_I486, ['486', 'p6', 'max']],
  [f.FEATURE_CPUID, ['p6', 'max']],
  [f.FEATURE_CR4, ['p6', 'max']],
  [f.FEATURE_RDPMC, ['p6', 'max']],
  [f.FEATURE_NOPL, ['p6', 'max']],
  [f.FEATURE_CRC32, ['max']],
]);

const hasFeature = (model: CpuModel, feature: number): boolean =>
  WITHOUT_BIT.get(feature)?.includes(model.name) ?? shows(model, feature);

const newCpu = (model: CpuModel): Cpu => {
  const memory = new GuestMemory();
  memory.addSlot(0, 0, new Uint8Array(0x1000), false);
  return new Cpu(memory, undefined, model);
};

const rows = OP_TABLE.filter(({ feature }) => feature !== 0).map((row) => ({
  ...row,
  label: `${row.name}/${row.sub}`,
}));

describe.each(CPU_MODELS.map((model) => ({ name: model.name, model })))(
  'processor model $name',
  ({ model }) => {
    it.each(rows)('$label is #UD exactly when CPUID does not list it', ({ name, sub, op, feature }) => {
      const code = sampleOf(name, sub);
      if (code === undefined) throw new Error(`no sample of ${name}`);
      const older = name === 'Tzcnt' ? Op.Bsf : name === 'Lzcnt' ? Op.Bsr : Op.Undefined;
      expect(opOf(model, code)).toBe(hasFeature(model, feature) ? op : older);
    });

    it('has every feature that CPUID shows, and shows every one that it has and CPUID can show', () => {
      for (const { feature, cpuid } of CPU_FEATURES) {
        if (cpuid !== null)
          expect([feature, shows(model, feature)]).toEqual([feature, (model.features & feature) !== 0]);
      }
    });

    it('shows nothing in CPUID but features, vendor, signature and highest leaves', () => {
      for (const { function: leaf, eax, ebx, ecx, edx } of model.cpuid) {
        if (leaf === 0 || leaf === 0x8000_0000 || leaf === 2) continue;
        if (leaf !== 1) expect(eax).toBe(0);
        const left = { ebx, ecx, edx };
        for (const { cpuid } of CPU_FEATURES) {
          if (cpuid?.leaf === leaf && cpuid.register !== 'eax') left[cpuid.register] &= ~(1 << cpuid.bit);
        }
        expect([leaf, left]).toEqual([leaf, { ebx: 0, ecx: 0, edx: 0 }]);
      }
    });

    it('takes in CR4 one by one the bits of its features and refuses all others', () => {
      const cpu = newCpu(model);
      // VME PVI TSD DE PSE PAE MCE PGE PCE, then UMIP.
      const want = model.name === '486' ? 0 : model.name === 'p6' ? 0x1ff : 0x9ff;
      for (let bit = 0; bit < 32; bit++) {
        const value = 1 << bit;
        expect([bit, setCr4(cpu, value)]).toEqual([bit, (want & value) !== 0]);
        setCr4(cpu, 0);
      }
    });

    it('keeps in EFLAGS the bits that it has: AC always, ID with CPUID, VIF and VIP with VME', () => {
      const cpu = newCpu(model);
      setEflags(cpu, -1);
      expect(getEflags(cpu)).toBe(model.name === '486' ? 0x7_7fd7 : 0x3f_7fd7);
    });

    it('holds the MSRs of its features', () => {
      const cpu = newCpu(model);
      const held = [0x10, 0x174, 0x175, 0x176, 0xc000_0080 | 0, 0xc000_0103 | 0].map((index) =>
        holdsMsr(cpu, index),
      );
      const count = { '486': 0, p6: 4, max: 6 }[model.name];
      expect(held).toEqual([0, 1, 2, 3, 4, 5].map((i) => i < count));
      expect(setEfer(cpu, 0x800, 0)).toBe(model.name === 'max');
    });

    it('knows MOV CR4 only where there is one', () => {
      const isThere = model.name !== '486';
      expect([opOf(model, '0f 22 e0'), opOf(model, '0f 20 e0')]).toEqual(
        isThere ? [Op.MovToCr, Op.MovFromCr] : [Op.Undefined, Op.Undefined],
      );
      expect(opOf(model, '0f 22 d8')).toBe(Op.MovToCr);
    });

    it('executes what a 386 does', () => {
      for (const code of [
        '90',
        'f3 90',
        '0f bc c1',
        '0f bd c1',
        '0f a3 c8',
        '0f 20 c0',
        '0f 00 d0',
        '0f 06',
      ]) {
        expect(opOf(model, code)).not.toBe(Op.Undefined);
      }
    });

    it('starts with its signature in EDX', () => {
      expect(newCpu(model).gpr[2]).toBe({ '486': 0x423, p6: 0x652, max: 0x600 }[model.name]);
    });
  },
);

describe('models', () => {
  it('are found by their names only', () => {
    expect(CPU_MODELS.map(({ name }) => cpuModelByName(name))).toEqual(CPU_MODELS);
    expect([cpuModelByName('386'), cpuModelByName(undefined), cpuModelByName(486)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('each have what the one before has', () => {
    for (let i = 1; i < CPU_MODELS.length; i++) {
      expect(CPU_MODELS[i - 1].features & ~CPU_MODELS[i].features).toBe(0);
    }
  });

  it('the 486 has no CPUID at all', () => {
    expect(cpuModelByName('486')?.cpuid).toEqual([]);
  });
});
