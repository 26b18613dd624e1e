/**
 * `pio86 run`: options to machine, image into memory, run, summary.
 */
import type { Board, BoardOptions } from '../../boards/board.ts';
import { refusalLine } from '../../explain/io-fault.ts';
import { portNamesOf } from '../../ioports/port-names.ts';
import { loadImage } from '../../loaders/load.ts';
import { AccessCounter } from '../../trace/access-counter.ts';
import { parseTraceEvents } from '../../trace/events.ts';
import { KvmTracePrinter } from '../../trace/kvm-trace-printer.ts';
import type { PortNames } from '../../trace/port-names.ts';
import { TracepointFan } from '../../trace/tracepoint-fan.ts';
import { CPU_BASED_USE_IO_BITMAPS } from '../../uapi/vmx.ts';
import { usageError } from '../cli-error.ts';
import type { CommandContext } from '../command.ts';
import { cpuOf } from '../cpu-option.ts';
import { createBoardWithJit } from '../create-board-with-jit.ts';
import type { PortSpan } from '../numbers.ts';
import { readPortTree } from '../port-maps.ts';
import { Wakeup } from './host-time.ts';
import { loadFiles } from './load-files.ts';
import { openOutputs, type RunOutputs } from './outputs.ts';
import { endExitCode, isImpatient, type RunEnd } from './run-end.ts';
import { type RunObserver, runLoop } from './run-loop.ts';
import type { RunOptions } from './run-options.ts';
import { NO_INPUT, type SerialInput, StdinInput } from './serial-input.ts';
import { setEntry, setRegisters } from './set-registers.ts';
import { StopSignals } from './stop-signals.ts';
import { type RunResult, summaryJson, summaryLine } from './summary.ts';

function boardOptions(
  { err }: CommandContext,
  options: RunOptions,
  outputs: RunOutputs,
  observer: RunObserver | null,
): BoardOptions {
  return {
    memoryBytes: options.memory,
    ips: options.ips,
    debug: outputs.debug,
    unclaimed: options.unclaimed,
    forceEmulation: options.forceEmulation === true,
    onWarning: (line) => err.write(`pio86: warning: ${line}\n`),
    ...cpuOf(options),
    ...(observer === null ? {} : { kvm: observer.kvm }),
    ...(outputs.serial === null ? {} : { serial: outputs.serial }),
    ...(options.device === undefined ? {} : { extraDevices: options.device }),
    ...(options.rtc === undefined ? {} : { rtcSeconds: options.rtc }),
  };
}

/** Attaches what the options want to see; nothing at all on a plain run. */
function attachListeners(
  board: Board,
  options: RunOptions,
  names: PortNames,
  outputs: RunOutputs,
  observed: Board['vcpu']['trace'],
): AccessCounter {
  const counter = new AccessCounter();
  let listener = observed;
  if (options.json === true) listener = listener === null ? counter : new TracepointFan(listener, counter);
  if (outputs.trace !== null) {
    const machine = { clock: board.vm.clock, memory: board.vm.memory, cpu: board.vcpu.cpu };
    const events = parseTraceEvents(options.trace ?? '');
    const printer = new KvmTracePrinter(machine, names, events, outputs.trace);
    listener = listener === null ? printer : new TracepointFan(printer, listener);
  }
  board.vcpu.trace = listener;
  return counter;
}

/** Only accesses to these ports exit. */
function useIoBitmaps({ vcpu }: Board, ports: readonly PortSpan[]): void {
  for (const { first, last } of ports) vcpu.vmcs.setPorts(first, last, true);
  vcpu.vmcs.cpuBasedVmExecControl = CPU_BASED_USE_IO_BITMAPS;
}

/** Runs one guest; `observer` looks on. @returns the exit code. */
export async function runGuestCommand(
  context: CommandContext,
  file: string | undefined,
  options: RunOptions,
  observer: RunObserver | null = null,
): Promise<number> {
  if (options.engine === 'kvm')
    throw usageError("run: only pio86's own engine can be looked into; leave out --engine kvm");
  parseTraceEvents(options.trace ?? '');
  const files = await loadFiles(context, file, options);
  const portMap = options.ioports === undefined ? [] : await readPortTree(options.ioports, context.io);
  const outputs = openOutputs(context, options);
  try {
    const board = createBoardWithJit(
      options.board,
      boardOptions(context, options, outputs, observer),
      options,
    );
    const names = portNamesOf(board, portMap);
    if (options.ioBitmap !== undefined) useIoBitmaps(board, options.ioBitmap);
    loadImage(board, files.plan, files.extra);
    if (options.entry !== undefined) setEntry(board, options.entry);
    if (options.reg !== undefined) setRegisters(board, options.reg);
    const counter = attachListeners(board, options, names, outputs, observer?.tracepoints ?? null);
    const end = await runWithHost(context, file, options, outputs, board, files.plan.rom !== null, observer);
    const exitCode = endExitCode(end, options.guestExit === true);
    if (isImpatient(end)) context.io.exitSoon(exitCode);
    const result: RunResult = {
      board,
      file: files.name,
      format: files.plan.format,
      end,
      exitCode,
      instructions: board.vcpu.instructions,
    };
    context.err.write(`pio86: ${summaryLine(result)}\n`);
    const refused = end.kind === 'shutdown' ? refusalLine(board.vcpu.cpu.ioRefusal) : null;
    if (refused !== null) context.err.write(`pio86: ${refused}\n`);
    if (options.json === true) {
      context.out.write(`${JSON.stringify(summaryJson(result, counter.ports(), names))}\n`);
    }
    return exitCode;
  } finally {
    await outputs.end();
  }
}

/** Connects signals and standard input for the time of the run. */
async function runWithHost(
  { io }: CommandContext,
  file: string | undefined,
  options: RunOptions,
  outputs: RunOutputs,
  board: Board,
  isRom: boolean,
  observer: RunObserver | null,
): Promise<RunEnd> {
  const wakeup = new Wakeup();
  const signals = new StopSignals(io, () => wakeup.wake());
  const readsStdin = options.serial.kind === 'stdio' && file !== '-';
  const input: SerialInput = readsStdin ? new StdinInput(io, wakeup, () => signals.interrupt()) : NO_INPUT;
  try {
    return await runLoop(board, {
      maxInsns: options.maxInsns ?? Number.POSITIVE_INFINITY,
      timeoutMs: (options.timeout ?? Number.POSITIVE_INFINITY) * 1000,
      clock: options.clock,
      isTraced: outputs.trace !== null || observer !== null,
      observer,
      input,
      outputs: outputs.all,
      wakeup,
      stopped: () => signals.end,
      restartsOnReset: isRom,
    });
  } finally {
    input.close();
    signals.close();
  }
}
