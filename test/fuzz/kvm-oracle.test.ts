/**
 * The KVM oracles with pio86 in the kernel's place: they agree with what is right and find what is planted. On a machine with
 * `/dev/kvm` a few cases run there too.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { createHostTarget } from '../../src/cli/fuzz/targets.ts';
import { oracleHost } from '../../src/cli/host/fuzz-on-host.ts';
import { Pic8259 } from '../../src/devices/i8259.ts';
import { runShard } from '../../src/fuzz/engine/shard.ts';
import { StringIoJudge } from '../../src/fuzz/judge-case.ts';
import { timedBits } from '../../src/fuzz/oracle/device-oracle.ts';
import { type OracleHost, ownHost } from '../../src/fuzz/oracle/oracle-host.ts';
import { StringIoWitness } from '../../src/fuzz/oracle/string-io-witness.ts';
import { StringIoMachine } from '../../src/fuzz/string-io-machine.ts';
import { createDevicesOracleTarget } from '../../src/fuzz/targets/devices.ts';
import { StringIoTarget } from '../../src/fuzz/targets/string-io.ts';
import { Vcpu } from '../../src/kvm/vcpu.ts';
import { hostKvm, noKvm } from '../kvm/engines.ts';
import { cli } from '../unit/cli/capture-io.ts';

const { setRegs } = Vcpu.prototype;
const { readIrq } = Pic8259.prototype;
afterEach(() => {
  Vcpu.prototype.setRegs = setRegs;
  Pic8259.prototype.readIrq = readIrq;
});

function stringIo(host: OracleHost): StringIoTarget {
  return new StringIoTarget(new StringIoJudge(new StringIoMachine(), new StringIoWitness(host)));
}

describe('string-io with a host', () => {
  it.each([true, false])('agrees with a host that is pio86 (emulates I/O: %s)', async (emulatesIo) => {
    const { runs, finding, counts } = await runShard(stringIo(ownHost(emulatesIo)), {
      seed: 1,
      first: 0,
      count: 1500,
    });
    expect([runs, finding]).toEqual([1500, null]);
    expect(counts.comparedWithHost).toBeGreaterThan(1400);
  });

  it('names a register that the host has otherwise, in a small case', async () => {
    const target = stringIo(ownHost(true));
    // Only the host is driven by KVM_SET_REGS.
    Vcpu.prototype.setRegs = function (this: Vcpu, regs) {
      return setRegs.call(this, { ...regs, ebx: regs.ebx ^ 0x100 });
    };
    const { finding } = await runShard(target, { seed: 1, first: 0, count: 10 });
    expect(finding?.differences).toEqual(['ebx: host 0x100, pio86 0x0']);
  });

  it('counts the cases with paging on a host that does not run them', async () => {
    const host: OracleHost = { ...ownHost(true), cannotRun: ['paging'] };
    const { counts } = await runShard(stringIo(host), { seed: 1, first: 0, count: 640 });
    expect(counts['host cannot: paging']).toBeGreaterThan(50);
    const skipped = (counts['host cannot: paging'] ?? 0) + (counts.notJudged ?? 0);
    expect(skipped + (counts.comparedWithHost ?? 0)).toBe(640);
  });

  it('counts the modes that the host does not run', async () => {
    const host: OracleHost = { ...ownHost(true), cannotRun: ['real', 'v86'] };
    const { counts } = await runShard(stringIo(host), { seed: 1, first: 0, count: 640 });
    expect(counts['host cannot: mode real']).toBeGreaterThan(100);
    const skipped = (counts['host cannot: mode real'] ?? 0) + (counts['host cannot: mode v86'] ?? 0);
    expect(skipped + (counts.comparedWithHost ?? 0) + (counts.notJudged ?? 0)).toBe(640);
  });
});

describe('devices with a host', () => {
  it('agrees with a host that is pio86', async () => {
    const target = createDevicesOracleTarget(ownHost(false));
    const { runs, finding, counts } = await runShard(target, { seed: 1, first: 0, count: 300 });
    expect([runs, finding, counts.comparedWithHost]).toEqual([300, null, 300]);
    expect(counts.timedValues).toBeGreaterThan(10);
  });

  it('finds a vector that only the host has otherwise', () => {
    let acknowledges = 0;
    // The host runs first.
    Pic8259.prototype.readIrq = function (this: Pic8259) {
      return readIrq.call(this) + (acknowledges++ % 2 === 0 ? 1 : 0);
    };
    const target = createDevicesOracleTarget(ownHost(true));
    const verdict = target.replay('target=devices\nstep=irq 3 level 1\nstep=inta\n');
    expect(verdict.differences).toEqual(['step 2, inta: host 0x104, pio86 0x103']);
  });

  it('leaves out what follows the host’s time and nothing else', () => {
    expect(
      timedBits([
        { kind: 'in', port: 0x43, size: 1 },
        { kind: 'in', port: 0x21, size: 1 },
        { kind: 'in', port: 0x43, size: 1 },
        { kind: 'in', port: 0x41, size: 1 },
        { kind: 'in', port: 0x43, size: 1 },
        { kind: 'out', port: 0x43, size: 1, value: 0xe4 },
        { kind: 'in', port: 0x41, size: 1 },
        { kind: 'in', port: 0x41, size: 1 },
        { kind: 'in', port: 0x61, size: 1 },
      ]),
    ).toEqual([0xff, 0, 0, 0xff, 0xff, 0, 0x80, 0xff, 0x30]);
  });
});

describe('pio86 fuzz --oracle kvm', () => {
  it.each(['string-io', 'devices'])('says of a case of %s that it needs the host again', async (name) => {
    const { lines } = await (await createHostTarget(name, ownHost(true))).reproduce(1, 0);
    expect(lines[0]).toBe(`# replay with: pio86 fuzz ${name} --oracle kvm --replay FILE`);
  });

  it('is for some targets and one thread', async () => {
    expect(await cli(['fuzz', 'bus', '--oracle', 'kvm'])).toMatchObject({ exitCode: 2 });
    expect(await cli(['fuzz', 'devices', '--oracle', 'kvm', '--workers', '2'])).toMatchObject({
      exitCode: 2,
    });
  });
});

describe.skipIf(noKvm)('the host’s kernel (needs /dev/kvm)', () => {
  it('agrees about some cases of each target', async () => {
    if (hostKvm === null) throw new Error('no /dev/kvm');
    const host = oracleHost(hostKvm);
    for (const target of [stringIo(host), createDevicesOracleTarget(host)]) {
      const { finding, counts } = await runShard(target, { seed: 3, first: 0, count: 600 });
      expect(finding).toBeNull();
      expect(counts.comparedWithHost).toBeGreaterThan(100);
    }
  });
});
