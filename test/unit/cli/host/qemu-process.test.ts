/** The client of QEMU's qtest with programs in QEMU's place. */
import { afterEach, describe, expect, it } from 'vitest';
import { type QemuOptions, QemuProcess } from '../../../../src/cli/host/qemu-process.ts';

const started: QemuProcess[] = [];

function start(script: string, options: QemuOptions = {}): QemuProcess {
  const qemu = new QemuProcess({ program: 'sh', args: ['-c', script], chips: ['/m', '/s'], ...options });
  started.push(qemu);
  return qemu;
}

/** Answers every line. */
const ANSWERS = 'while read -r line; do echo OK; done';

afterEach(async () => {
  for (const qemu of started.splice(0)) await qemu.close();
});

/** Whether a process is there within some seconds. */
async function isGone(pid: number): Promise<boolean> {
  for (let i = 0; i < 200; i++) {
    try {
      process.kill(pid, 0);
    } catch {
      return true;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

describe('QemuProcess', () => {
  it('gets as many replies as it sends commands, lines about interrupts besides', () => {
    const qemu = start('while read -r line; do [ "$line" = up ] && echo IRQ raise 0; echo "OK 0x0012"; done');
    expect(qemu.exchange(['inb 0x20', 'up'])).toEqual(['OK 0x0012', 'IRQ raise 0', 'OK 0x0012']);
    expect(qemu.exchange([])).toEqual([]);
  });

  it('sends more than pipes hold', () => {
    const commands = Array.from(
      { length: 3000 },
      (_, i) => `outb 0x20 0x${i.toString(16)} ${'#'.repeat(60)}`,
    );
    expect(start(ANSWERS).exchange(commands)).toHaveLength(3000);
  });

  it('says with its last words that it has ended', () => {
    const qemu = start('read -r line; echo broken >&2; exit 1');
    expect(() => qemu.exchange(['inb 0x20'])).toThrow(
      expect.objectContaining({ code: 'E_ORACLE', message: 'QEMU has ended: broken' }),
    );
  });

  it('waits for an answer only so long', () => {
    const qemu = start('exec sleep 1000', { answerMs: 100 });
    expect(() => qemu.exchange(['inb 0x20'])).toThrow(
      expect.objectContaining({ code: 'E_ORACLE', message: 'QEMU does not answer qtest within 0.1 s' }),
    );
  });

  it('leaves no process behind', async () => {
    const qemu = start(`read -r line; echo "OK 0x$(printf %x $$)"; ${ANSWERS}`);
    const pid = Number(qemu.exchange(['who'])[0]?.slice(3));
    expect(pid).toBeGreaterThan(1);
    await qemu.close();
    expect(await isGone(pid)).toBe(true);
    expect(() => qemu.exchange(['inb 0x20'])).toThrow(expect.objectContaining({ code: 'E_ORACLE' }));
    await qemu.close();
  });

  it('names the package of a program that is not there (exit code 6)', () => {
    expect(() => new QemuProcess({ program: 'no-such-qemu' })).toThrow(
      expect.objectContaining({
        exitCode: 6,
        message: 'no-such-qemu is not installed (Debian: qemu-system-x86)',
      }),
    );
  });

  it('refuses a program that is no QEMU', () => {
    expect(() => new QemuProcess({ program: 'false' })).toThrow(
      expect.objectContaining({ code: 'E_ORACLE', message: expect.stringMatching(/^false shows no pair/) }),
    );
  });
});
