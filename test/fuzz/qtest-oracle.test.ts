/** `--oracle qtest`: QEMU's devices agree with pio86's, and what is planted is found. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { QemuProcess } from '../../src/cli/host/qemu-process.ts';
import { EmulatorError } from '../../src/errors.ts';
import { runShard } from '../../src/fuzz/engine/shard.ts';
import { OwnPc } from '../../src/fuzz/qtest/own-pc.ts';
import type { QtestLink } from '../../src/fuzz/qtest/protocol.ts';
import { createDevicesQtestTarget } from '../../src/fuzz/targets/devices.ts';
import { requireTool } from '../tools.ts';
import { cli } from '../unit/cli/capture-io.ts';

const QEMU = 'qemu-system-x86_64';
const { irqLine } = OwnPc.prototype;
afterEach(() => {
  OwnPc.prototype.irqLine = irqLine;
});

describe.skipIf(!requireTool(QEMU))('devices with QEMU (needs qemu-system-x86_64)', () => {
  let qemu: QemuProcess | null = null;
  const link = (): QtestLink => {
    if (qemu === null) throw new Error('not started');
    return qemu;
  };
  beforeAll(() => {
    qemu = new QemuProcess();
  });
  afterAll(() => qemu?.close());

  it('agree about some hundred cases', async () => {
    const target = createDevicesQtestTarget(link());
    const { runs, finding, counts } = await runShard(target, { seed: 1, first: 0, count: 400 });
    expect([runs, finding, counts.comparedWithQemu]).toEqual([400, null, 400]);
    expect(counts.commands).toBeGreaterThan(10_000);
  });

  it('shows a pin that is wired wrong in pio86', async () => {
    OwnPc.prototype.irqLine = function (this: OwnPc, gsi, level) {
      irqLine.call(this, gsi === 5 ? 6 : gsi, level);
    };
    const target = createDevicesQtestTarget(link());
    const { finding } = await runShard(target, { seed: 1, first: 0, count: 400 });
    expect(finding?.lines.filter((line) => line.startsWith('step='))).toEqual(['step=irq 5 level 1']);
    expect(finding?.differences).toContain('at the end, in 0x20 size 1 (inb 0x20): QEMU 0x20, pio86 0x40');
  });

  it('runs as a command, with rules that count', async () => {
    const args = ['fuzz', 'devices', '--oracle', 'qtest', '--runs', '60', '--seed', '3', '--json'];
    const { exitCode, stdout } = await cli(args);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ target: 'devices-qtest', runs: 60, findings: [] });
  });
});

/** A QEMU whose reads are all zeros, but for one register. */
function liar(port: string, reply: string): QtestLink {
  return {
    chips: ['/m', '/s'],
    exchange: (commands) => commands.map((line) => (line === `inb ${port}` ? reply : 'OK 0x0000')),
  };
}

describe('the qtest oracle', () => {
  it('names step, command and both values of what differs', () => {
    const target = createDevicesQtestTarget(liar('0x21', 'OK 0x00ff'));
    const { differences } = target.replay(
      'target=devices\nstep=out 0x21 size 1 value 0x5a\nstep=in 0x21 size 1\n',
    );
    expect(differences[0]).toBe('step 2, in 0x21 size 1 (inb 0x21): QEMU 0xff, pio86 0x5a');
  });

  it('says how a case is replayed', async () => {
    const target = createDevicesQtestTarget(liar('0x21', 'OK 0x00ff'));
    const { finding } = await runShard(target, { seed: 1, first: 0, count: 3 });
    expect(finding?.lines[0]).toBe('# replay with: pio86 fuzz devices --oracle qtest --replay FILE');
  });

  it('ends the command when QEMU is gone: that is no finding', async () => {
    let isGone = false;
    const target = createDevicesQtestTarget({
      chips: ['/m', '/s'],
      exchange: (commands) => {
        if (isGone) throw new EmulatorError('E_ORACLE', 'QEMU has ended');
        return commands.map(() => 'OK');
      },
    });
    isGone = true;
    await expect(runShard(target, { seed: 1, first: 0, count: 3 })).rejects.toMatchObject({
      code: 'E_ORACLE',
    });
  });

  it('is for one target and one thread', async () => {
    expect(await cli(['fuzz', 'string-io', '--oracle', 'qtest'])).toMatchObject({ exitCode: 2 });
    expect(await cli(['fuzz', 'devices', '--oracle', 'qtest', '--workers', '2'])).toMatchObject({
      exitCode: 2,
    });
  });
});
