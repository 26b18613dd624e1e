import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { instructionsPage } from '../scripts/instructions-page.ts';
import { camelCase, kvmMap, kvmTags, ROOT } from '../scripts/kvm-tags.ts';

const tags = kvmTags();

describe('names mirrored from KVM', () => {
  it('are the kernel names in camelCase, or say (as …)', () => {
    const wrong = tags.filter((t) => camelCase(t.kernelName) !== t.exportName && t.as === undefined);
    expect(wrong.map((t) => `${t.file}: ${t.kernelName} is ${t.exportName}`)).toEqual([]);
  });

  it('stand above something that is exported or a method', () => {
    expect(tags.filter((t) => t.exportName === '?').map((t) => `${t.file}: ${t.kernelName}`)).toEqual([]);
  });

  it('cover the whole path of an access', () => {
    const names = new Set(tags.map((t) => t.kernelName));
    const path = [
      'handle_io',
      'kvm_fast_pio',
      'kvm_fast_pio_in',
      'kvm_fast_pio_out',
      'kvm_emulate_instruction',
      'x86_emulate_instruction',
      'em_in',
      'em_out',
      'emulator_pio_in',
      'emulator_pio_out',
      'emulator_pio_in_out',
      'kernel_pio',
      'kvm_io_bus_read',
      'kvm_io_bus_write',
      'kvm_io_bus_register_dev',
      'kvm_io_bus_unregister_dev',
      'pit_ioport_write',
      'pic_set_irq1',
      'kvm_set_irq',
    ];
    expect(path.filter((n) => !names.has(n))).toEqual([]);
  });

  it('are listed in docs/kvm-map.md, which is current (npm run docs)', () => {
    expect(readFileSync(join(ROOT, 'docs', 'kvm-map.md'), 'utf8')).toBe(kvmMap(tags));
  });

  it('have a current list of instructions in docs/instructions.md (npm run docs)', () => {
    expect(readFileSync(join(ROOT, 'docs', 'instructions.md'), 'utf8')).toBe(instructionsPage());
  });
});
