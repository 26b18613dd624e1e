/**
 * Target `devices`: accesses, interrupts and time for the in-kernel 8259A pair, 8254 and port 0x61, against naive models.
 */
import { type DeviceStep, generateSteps, stepFromText, stepToText } from '../devices/device-case.ts';
import { DeviceJudge } from '../devices/device-judge.ts';
import { generatePcSteps, isPcPort } from '../devices/pc-steps.ts';
import type { ExportFormat } from '../engine/fuzz-target.ts';
import { ListTarget } from '../engine/list-target.ts';
import { DeviceOracle } from '../oracle/device-oracle.ts';
import type { OracleHost } from '../oracle/oracle-host.ts';
import { QtestOracle } from '../qtest/oracle.ts';
import type { QtestLink } from '../qtest/protocol.ts';
import { qtestScript } from '../qtest/script.ts';

/** See the opening comment. */
export function createDevicesTarget(): ListTarget<DeviceStep> {
  const judge = new DeviceJudge();
  return new ListTarget({
    name: 'devices',
    generate: generateSteps,
    judge: (steps) => judge.judge(steps),
    toText: stepToText,
    fromText: (line) => stepFromText(line),
    export: exportSteps,
  });
}

/** The same against a host's in-kernel devices. Time cannot be told to pass there: `wait` is left out. */
export function createDevicesOracleTarget(host: OracleHost): ListTarget<DeviceStep> {
  const oracle = new DeviceOracle(host);
  return new ListTarget({
    name: 'devices',
    flags: '--oracle kvm',
    generate: (random) => generateSteps(random).filter(({ kind }) => kind !== 'wait'),
    judge: (steps) => oracle.judge(steps),
    toText: stepToText,
    fromText: (line) => stepFromText(line),
    export: exportSteps,
    takeCounts: () => takeCounts(oracle),
  });
}

/** The same, and more devices of a PC, against QEMU's. @throws EmulatorError `E_ORACLE`. */
export function createDevicesQtestTarget(link: QtestLink): ListTarget<DeviceStep> {
  const oracle = new QtestOracle(link);
  return new ListTarget({
    name: 'devices',
    flags: '--oracle qtest',
    generate: (random) => generatePcSteps(random),
    judge: (steps) => oracle.judge(steps),
    toText: stepToText,
    fromText: (line) => stepFromText(line, isPcPort),
    export: exportSteps,
    takeCounts: () => takeQtestCounts(oracle),
  });
}

function takeQtestCounts(oracle: QtestOracle): Record<string, number> {
  const { compared, commands } = oracle;
  oracle.compared = 0;
  oracle.commands = 0;
  const rules = [...oracle.rules].map(([rule, count]) => [`rule: ${rule}`, count] as const);
  oracle.rules.clear();
  return { comparedWithQemu: compared, commands, ...Object.fromEntries(rules) };
}

function takeCounts(oracle: DeviceOracle): Record<string, number> {
  const { compared, timedValues, skipped } = oracle;
  oracle.compared = 0;
  oracle.timedValues = 0;
  oracle.skipped = 0;
  return { comparedWithHost: compared, timedValues, 'host cannot: KVM_EXIT_INTERNAL_ERROR': skipped };
}

function exportSteps(steps: readonly DeviceStep[], format: ExportFormat): readonly string[] | null {
  return format === 'qtest' ? qtestScript(steps) : null;
}
