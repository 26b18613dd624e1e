import { expect, it } from 'vitest';
import { createDevicesTarget } from '../../../../src/fuzz/targets/devices.ts';

it('is a qtest script that Debian’s QEMU understands but for the clock', () => {
  const steps = ['out 0x43 size 1 value 0x34', 'in 0x40 size 2', 'irq 9 level 1', 'inta', 'wait 3'];
  const text = ['target=devices', ...steps.map((step) => `step=${step}`)].join('\n');
  const lines = createDevicesTarget().export(text, 'qtest');
  expect(lines.filter((line) => !line.startsWith('#'))).toEqual([
    'outb 0x43 0x34',
    'inw 0x40',
    'set_irq_in /machine/unattached/device[7] unnamed-gpio-in 1 1',
    'outb 0x20 0xc',
    'inb 0x20',
    'clock_step 30',
  ]);
  expect(lines[0]).toBe(
    '# feed to: qemu-system-x86_64 -machine pc -S -display none -nodefaults -qtest stdio -qtest-log /dev/null',
  );
  expect(lines.filter((line) => line.startsWith('#'))).toHaveLength(4);
});
