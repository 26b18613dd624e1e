/**
 * `pio86 diff`, in the child process: probe, guests, random programs, report.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BoardPlan } from '../../boards/board-plan.ts';
import { createKvmDevices } from '../../boards/kvm.ts';
import { createPcDevices } from '../../boards/pc.ts';
import { BED_MODES, type BedMode } from '../../diff/bed-modes.ts';
import { GuestDiff, type GuestDiffResult } from '../../diff/diff-guest.ts';
import { RandomDiff, type RandomDiffResult } from '../../diff/diff-random.ts';
import { GuestSide } from '../../diff/guest-side.ts';
import { Pio86Engine } from '../../diff/pio86-engine.ts';
import { type HostProbe, probeHost } from '../../diff/probe.ts';
import { guestText, probeText, randomText } from '../../diff/report.ts';
import { TimeMask } from '../../diff/time-mask.ts';
import type { HostKvm } from '../../host-kvm/host-kvm.ts';
import { BIOS_SIZE_MAX } from '../../loaders/bios.ts';
import { planImage } from '../../loaders/detect.ts';
import { loadImage } from '../../loaders/load.ts';
import type { CommandContext } from '../command.ts';
import { EXIT_FINDING, EXIT_LIMIT, EXIT_OK, EXIT_SIGINT } from '../exit-codes.ts';
import { readInput } from '../read-input.ts';
import { hostNowMs } from '../run/host-time.ts';
import { readImage } from '../run/read-image.ts';
import { HostEngine, openHostKvm } from './host-engine.ts';
import { type DiffOptions, sayStarted } from './request.ts';

/** Version of the shape that `--json` prints. */
const DIFF_SCHEMA_VERSION = 1;
/** KVM_RUN of the host comes back at least this often. */
const INTERRUPT_US = 2_000;
/** pio86's KVM_RUN likewise: time enough for a loop to be seen as one. */
const SLICE_TICKS = 20_000;
/** Random programs between two looks at Ctrl-C. */
const PROGRAMS_AT_ONCE = 50;
const MAX_INPUT = 1 << 20;

/** The work of one command. */
class DiffRun {
  readonly #context: CommandContext;
  readonly #options: DiffOptions;
  readonly #kvm: HostKvm;
  readonly #deadlineMs: number;
  readonly #isInterrupted: () => boolean;
  #probe: HostProbe | null = null;

  constructor(context: CommandContext, options: DiffOptions, kvm: HostKvm, isInterrupted: () => boolean) {
    this.#context = context;
    this.#options = options;
    this.#kvm = kvm;
    this.#deadlineMs = hostNowMs() + options.timeout * 1000;
    this.#isInterrupted = isInterrupted;
  }

  /** Asked first: pio86 takes the host's path. */
  probe(): HostProbe {
    this.#probe ??= probeHost(new HostEngine(this.#kvm), BED_MODES);
    return this.#probe;
  }

  get isTimedOut(): boolean {
    return hostNowMs() >= this.#deadlineMs;
  }

  get isDone(): boolean {
    return this.isTimedOut || this.#isInterrupted();
  }

  async guest(file: string): Promise<GuestDiffResult> {
    const { io } = this.#context;
    const { board, memory, format, input, maxExits } = this.#options;
    const image = await readImage(file, io, Math.max(memory, BIOS_SIZE_MAX));
    const bytes = input === undefined ? new Uint8Array(0) : (await readInput(input, io, MAX_INPUT)).bytes;
    const plan: BoardPlan = {
      name: board,
      createDevices: board === 'kvm' ? createKvmDevices : createPcDevices,
    };
    const time = new TimeMask();
    const engine = new Pio86Engine({
      forceEmulation: this.probe().emulatesIo,
      sliceTicks: SLICE_TICKS,
      keepPaths: true,
      tracepoints: time,
    });
    const onAsyncAlarm = (): void =>
      time.start("a userspace device's interrupt while the guest loops without an exit");
    const { device: extraDevices = [] } = this.#options;
    const common = { memoryBytes: memory, input: bytes, onAsyncAlarm, extraDevices };
    const host = new GuestSide(new HostEngine(this.#kvm), plan, common);
    const own = new GuestSide(engine, plan, common);
    for (const side of [host, own]) {
      loadImage(side.vmm.loadTarget, planImage(image, format, { memoryBytes: memory }));
    }
    const limits = { maxExits, isDone: () => this.isDone };
    return new GuestDiff(host, own, time, () => engine.paths, limits).run();
  }

  async random(programs: number, seed: number): Promise<RandomDiffResult> {
    const { modes, emulatesIo } = this.probe();
    const runnable: BedMode[] = modes.filter(({ runs }) => runs).map(({ mode }) => mode);
    const diff = new RandomDiff(() => new HostEngine(this.#kvm), { seed, modes: runnable, emulatesIo });
    const { first } = this.#options;
    for (let at = first; at < first + programs && diff.result.difference === null; at += PROGRAMS_AT_ONCE) {
      if (this.isDone) break;
      diff.run(at, Math.min(PROGRAMS_AT_ONCE, first + programs - at), () => this.isDone);
      await nextTurn();
    }
    return diff.result;
  }
}

/** JSON has no maps. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, entry: unknown) =>
      entry instanceof Map ? Object.fromEntries(entry) : entry,
    ),
  );
}

/** Carries out the command. @returns the exit code. */
export async function diffOnHost(
  context: CommandContext,
  files: readonly string[],
  options: DiffOptions,
): Promise<number> {
  const kvm = await openHostKvm();
  let interrupted = false;
  const offSigint = context.io.onSigint(() => {
    interrupted = true;
  });
  const onAlarm = (): void => {};
  process.on('SIGALRM', onAlarm);
  sayStarted();
  kvm.interruptEvery(INTERRUPT_US);
  try {
    const run = new DiffRun(context, options, kvm, () => interrupted);
    return await report(context, files, options, run, () => interrupted);
  } finally {
    kvm.interruptEvery(0);
    process.off('SIGALRM', onAlarm);
    offSigint();
  }
}

async function report(
  { out }: CommandContext,
  files: readonly string[],
  options: DiffOptions,
  run: DiffRun,
  isInterrupted: () => boolean,
): Promise<number> {
  const isJson = options.json === true;
  const say = (text: string): void => {
    if (!isJson) out.write(`${text}\n`);
  };
  const probe = run.probe();
  if (options.probe === true) say(probeText(probe, false));
  else
    say(`host: IN and OUT on the ${probe.emulatesIo ? "emulator's" : 'fast'} path; ${missingModes(probe)}`);
  const guests: { file: string; result: GuestDiffResult }[] = [];
  for (const file of files) {
    if (run.isDone) break;
    const result = await run.guest(file);
    guests.push({ file, result });
    say(guestText(file, result));
    await out.drained();
  }
  let random: RandomDiffResult | null = null;
  if (options.random !== undefined) {
    random = await run.random(options.random, options.seed ?? newSeed());
    say(randomText(random));
  }
  if (guests.length > 1) say(totals(guests.map(({ result }) => result)));
  if (isJson) {
    const document = {
      schemaVersion: DIFF_SCHEMA_VERSION,
      probe,
      guests: guests.map(({ file, result }) => ({ file, ...result })),
      random,
    };
    out.write(`${JSON.stringify(plain(document))}\n`);
  }
  const results = guests.map(({ result }) => result);
  if (results.some(({ status }) => status === 'different') || (random !== null && random.difference !== null))
    return EXIT_FINDING;
  if (isInterrupted()) return EXIT_SIGINT;
  return run.isTimedOut || results.some(({ status }) => status === 'limit') ? EXIT_LIMIT : EXIT_OK;
}

function newSeed(): number {
  return Math.floor(Math.random() * 2 ** 32);
}

function missingModes({ modes, paging, instructions }: HostProbe): string {
  const missing = [
    ...modes.filter(({ runs }) => !runs).map(({ mode, reason }) => `${mode} (${reason})`),
    ...(paging ? [] : ['paging']),
    `${instructions.filter(({ runs }) => !runs).length} of ${instructions.length} probed instructions (--probe names them)`,
  ];
  return `it cannot run ${missing.join(', ')}`;
}

function totals(results: readonly GuestDiffResult[]): string {
  const count = (status: GuestDiffResult['status']): number =>
    results.filter((r) => r.status === status).length;
  const sum = (of: (r: GuestDiffResult) => number): number => results.reduce((n, r) => n + of(r), 0);
  return (
    `${results.length} guests: ${count('same')} without a difference, ${count('different')} different, ` +
    `${count('cut')} that the host cannot run to the end, ${count('limit')} stopped at a limit; ` +
    `${sum((r) => r.exits)} exits compared in full, ${sum((r) => r.orderOnlyExits)} by order only`
  );
}
