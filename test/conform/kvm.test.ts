/** Everything a real KVM recorded, whole. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { conform } from './lines.ts';

const folder = join(import.meta.dirname, '../vectors/kvm');

describe('vectors of a real KVM', () => {
  it.each([
    ['pio-real', 1469],
    ['pio-prot', 1491],
    ['pio-prot3', 1496],
    ['pio-v86', 1486],
    ['dev-pic', 291],
    ['dev-pit', 300],
    ['dev-ioapic', 300],
  ])('%s passes whole', async (name, count) => {
    const { code, lines, text } = await conform([join(folder, `${name}.jsonl.gz`)]);
    expect(text).toMatch(new RegExp(`^${name} +passed +${count}  failed +0  excluded +0$`, 'm'));
    expect(lines.at(-1)).toBe(`${count} passed, 0 failed`);
    expect(code).toBe(0);
  });
});
