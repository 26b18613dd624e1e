/**
 * `pio86 run --engine kvm`, in the child process: the board's userspace on top of the host's kernel.
 *
 * A timer signal ends KVM_RUN every few milliseconds; between two calls output drains, input arrives, alarms of the
 * userspace devices ring, and deadlines are heard.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createKvmDevices } from '../../boards/kvm.ts';
import { createPcDevices } from '../../boards/pc.ts';
import { Vmm, type VmmEnd } from '../../boards/vmm.ts';
import { pitCanWake } from '../../diff/sleeping-guest.ts';
import { loadImage } from '../../loaders/load.ts';
import { KVM_EXIT_NAMES } from '../../uapi/kvm.ts';
import type { CommandContext } from '../command.ts';
import { hostNowMs, Wakeup } from '../run/host-time.ts';
import { loadFiles } from '../run/load-files.ts';
import { openOutputs, type RunOutputs } from '../run/outputs.ts';
import { endExitCode, endText, isImpatient, type RunEnd } from '../run/run-end.ts';
import type { RunOptions } from '../run/run-options.ts';
import { NO_INPUT, type SerialInput, StdinInput } from '../run/serial-input.ts';
import { setEntry, setRegisters } from '../run/set-registers.ts';
import { StopSignals } from '../run/stop-signals.ts';
import { registers } from '../run/summary.ts';
import { HostEngine, openHostKvm } from './host-engine.ts';
import { sayStarted } from './request.ts';

/** KVM_RUN comes back at least this often. */
const INTERRUPT_US = 2_000;
/** Exits that are answered between two looks at the host. */
const MAX_EXITS = 1_000;
/** Version of the shape that `--json` prints. */
const HOST_RUN_SCHEMA_VERSION = 1;

/** Runs one guest. @returns the exit code. */
export async function runOnHost(
  context: CommandContext,
  file: string | undefined,
  options: RunOptions,
): Promise<number> {
  const files = await loadFiles(context, file, options);
  const engine = new HostEngine(await openHostKvm());
  const outputs = openOutputs(context, options);
  try {
    const startMs = hostNowMs();
    const vmm = new Vmm(
      engine,
      { name: options.board, createDevices: options.board === 'kvm' ? createKvmDevices : createPcDevices },
      {
        memoryBytes: options.memory,
        debug: outputs.debug,
        unclaimed: options.unclaimed,
        onWarning: (line) => context.err.write(`pio86: warning: ${line}\n`),
        time: { nowNs: () => (hostNowMs() - startMs) * 1e6 },
        ...(outputs.serial === null ? {} : { serial: outputs.serial }),
        ...(options.device === undefined ? {} : { extraDevices: options.device }),
        ...(options.rtc === undefined ? {} : { rtcSeconds: options.rtc }),
      },
    );
    loadImage(vmm.loadTarget, files.plan, files.extra);
    if (options.entry !== undefined) setEntry(vmm.loadTarget, options.entry);
    if (options.reg !== undefined) setRegisters(vmm.loadTarget, options.reg);
    const end = await runWithHost(context, file, options, outputs, engine, vmm, files.plan.rom !== null);
    const exitCode = endExitCode(end, options.guestExit === true);
    if (isImpatient(end)) context.io.exitSoon(exitCode);
    const seconds = ((hostNowMs() - startMs) / 1000).toFixed(6);
    const counts = [...vmm.exits].map(
      ([reason, n]) => [KVM_EXIT_NAMES[reason] ?? `exit ${reason}`, n] as const,
    );
    const exits = counts.map(([name, n]) => `${n.toLocaleString('en-US')} ${name}`).join(', ');
    context.err.write(`pio86: ${endText(end)}: ${seconds} s on the host's KVM, ${exits || 'no exits'}\n`);
    if (options.json === true) {
      const summary = {
        schemaVersion: HOST_RUN_SCHEMA_VERSION,
        engine: 'kvm',
        file: files.name,
        format: files.plan.format,
        board: vmm.name,
        end: { ...end, text: endText(end) },
        exitCode,
        userspaceExits: Object.fromEntries(counts),
        registers: registers(vmm.regs(), vmm.sregs()),
      };
      context.out.write(`${JSON.stringify(summary)}\n`);
    }
    return exitCode;
  } finally {
    await outputs.end();
  }
}

/** Connects signals, standard input and the timer signal for the time of the run. */
async function runWithHost(
  { io }: CommandContext,
  file: string | undefined,
  options: RunOptions,
  outputs: RunOutputs,
  engine: HostEngine,
  vmm: Vmm,
  isRom: boolean,
): Promise<RunEnd> {
  const wakeup = new Wakeup();
  const signals = new StopSignals(io, () => wakeup.wake());
  const onAlarm = (): void => {};
  process.on('SIGALRM', onAlarm);
  const readsStdin = options.serial.kind === 'stdio' && file !== '-';
  const input: SerialInput = readsStdin ? new StdinInput(io, wakeup, () => signals.interrupt()) : NO_INPUT;
  try {
    sayStarted();
    engine.interruptEvery(INTERRUPT_US);
    return await hostLoop(engine, vmm, {
      deadlineMs: hostNowMs() + (options.timeout ?? Number.POSITIVE_INFINITY) * 1000,
      input,
      outputs,
      wakeup,
      stopped: () => signals.end,
      restartsOnReset: isRom,
    });
  } finally {
    engine.interruptEvery(0);
    process.off('SIGALRM', onAlarm);
    input.close();
    signals.close();
  }
}

interface HostLoopControl {
  readonly deadlineMs: number;
  readonly input: SerialInput;
  readonly outputs: RunOutputs;
  readonly wakeup: Wakeup;
  stopped(): RunEnd | null;
  readonly restartsOnReset: boolean;
}

function hostEnd({ stopped, outputs, deadlineMs }: HostLoopControl): RunEnd | null {
  const end = stopped();
  if (end !== null) return end;
  if (outputs.all.some(({ stream }) => stream.closed)) return { kind: 'output-closed' };
  return hostNowMs() >= deadlineMs ? { kind: 'timeout' } : null;
}

async function handOnOutput(control: HostLoopControl): Promise<void> {
  for (const output of control.outputs.all) output.handOn();
  while (control.outputs.all.some(({ stream }) => stream.isFull) && hostEnd(control) === null) {
    await control.wakeup.wait(control.deadlineMs - hostNowMs());
  }
}

/** What the guest's end means for the run; null to go on. */
function afterRun(vmm: Vmm, end: VmmEnd, restartsOnReset: boolean): RunEnd | null {
  switch (end.kind) {
    case 'slice':
      return null;
    case 'stopped':
      return { kind: 'interrupted' };
    case 'reset':
      if (!restartsOnReset) return end;
      vmm.reset();
      return null;
    default:
      return end;
  }
}

async function hostLoop(engine: HostEngine, vmm: Vmm, control: HostLoopControl): Promise<RunEnd> {
  for (const { stream } of control.outputs.all) stream.onResume = () => control.wakeup.wake();
  let sleptSinceMs: number | null = null;
  for (;;) {
    await nextTurn();
    const { irqChanges } = vmm;
    const fed = control.input.feed((byte) => vmm.receiveSerial(byte));
    let end = afterRun(vmm, vmm.run(MAX_EXITS), control.restartsOnReset) ?? hostEnd(control);
    if (end === null && engine.isHalted() && fed === 0 && vmm.irqChanges === irqChanges) {
      sleptSinceMs ??= hostNowMs();
      end = sleepEnd(engine, vmm, control, hostNowMs() - sleptSinceMs);
    } else sleptSinceMs = null;
    await handOnOutput(control);
    if (end !== null) return end;
  }
}

/** Whether a guest that sleeps in HLT will never wake. */
function sleepEnd(engine: HostEngine, vmm: Vmm, { input }: HostLoopControl, sleptMs: number): RunEnd | null {
  const { vm, vcpu } = engine;
  if (vcpu === null || vm === null) return null;
  if (vcpu.run.if_flag === 0) return { kind: 'halted' };
  if (Number.isFinite(vmm.clock.nextDeadlineNs) || pitCanWake(vm, sleptMs)) return null;
  return input.pending > 0 || input.ended ? { kind: 'idle' } : null;
}
