/**
 * The demo: runs the PIT example with a trace and prints what is worth seeing of it.
 */
import { readFileSync } from 'node:fs';
import { createPcBoard } from '../../boards/pc.ts';
import { portNamesOf } from '../../ioports/port-names.ts';
import { planImage } from '../../loaders/detect.ts';
import { loadImage } from '../../loaders/load.ts';
import { CallGraphRecorder, type CallNode, formatCallGraph } from '../../trace/call-graph.ts';
import { parseTraceEvents } from '../../trace/events.ts';
import { KvmTracePrinter, lineSinkOf } from '../../trace/kvm-trace-printer.ts';
import { EXIT_REASON_IO_INSTRUCTION, ioQualPort } from '../../uapi/vmx.ts';
import type { CommandContext } from '../command.ts';
import { EXIT_FINDING, EXIT_OK } from '../exit-codes.ts';
import { PACKAGE_FOLDER } from '../package-files.ts';
import { endText } from '../run/run-end.ts';
import { summaryLine } from '../run/summary.ts';

const GUEST = 'examples/pit-irq.bin';
const MAX_TICKS = 100_000_000;
const EVENTS = 'kvm_exit,kvm_pio,kvm_set_irq,kvm_pic_set_irq,kvm_inj_virq,kvm_ack_irq';
const PIT_WRITE = / kvm_pio: pio_write at 0x4[03] /;
const PIT_CONTROL_EXIT = / kvm_exit: .* out 0x43,al /;
const TICK = / kvm_(?:set_irq|pic_set_irq|inj_virq|ack_irq): | kvm_pio: pio_write at 0x20 /;
const END_OF_INTERRUPT = / kvm_ack_irq: /;
const PIT_CONTROL_PORT = 0x43;
/** The exit of the control word, the control word, two bytes of count. */
const MAX_PIT_LINES = 4;

/** What was seen of the run. */
interface Sightings {
  serial: string;
  readonly pitLines: string[];
  /** From the raised line to the end of the first interrupt. */
  readonly tickLines: string[];
  controlWordPath: CallNode | null;
}

function note(seen: Sightings, line: string): void {
  if (seen.pitLines.length < MAX_PIT_LINES) {
    if (PIT_WRITE.test(line) || PIT_CONTROL_EXIT.test(line)) seen.pitLines.push(line);
  } else if (TICK.test(line) && !END_OF_INTERRUPT.test(seen.tickLines.at(-1) ?? ''))
    seen.tickLines.push(line);
}

/** Runs the demo. @returns the exit code: {@link EXIT_FINDING} unless the guest printed `Test OK`. */
export async function runDemo({ out, colors }: CommandContext): Promise<number> {
  const bytes = readFileSync(new URL(GUEST, PACKAGE_FOLDER));
  const seen: Sightings = { serial: '', pitLines: [], tickLines: [], controlWordPath: null };
  const serial = {
    write(byte: number): void {
      seen.serial += String.fromCharCode(byte);
    },
  };
  const board = createPcBoard({ serial });
  const { vm, vcpu } = board;
  const names = portNamesOf(board, []);
  const machine = { clock: vm.clock, memory: vm.memory, cpu: vcpu.cpu };
  const plan = planImage({ name: GUEST, bytes });
  loadImage(board, plan);
  const sink = lineSinkOf((line) => note(seen, line));
  vcpu.trace = new KvmTracePrinter(machine, names, parseTraceEvents(EVENTS), sink);
  vm.setHooks(
    new CallGraphRecorder(vm.clock, (root) => {
      const isControlWord =
        vcpu.cpu.exitReason === EXIT_REASON_IO_INSTRUCTION &&
        ioQualPort(vcpu.cpu.exitQualification) === PIT_CONTROL_PORT;
      if (isControlWord && seen.controlWordPath === null) seen.controlWordPath = root;
    }),
  );
  const end = board.run(MAX_TICKS);

  const title = (text: string): void => out.write(`\n${colors.bold(text)}\n`);
  out.write(`pio86 demo: ${GUEST} programs the timer and counts five of its interrupts\n`);
  title('The guest programs the PIT: control word to port 0x43, count to port 0x40');
  for (const line of seen.pitLines) out.write(line);
  title('The path of that control word, function by function');
  if (seen.controlWordPath !== null) out.write(formatCallGraph(seen.controlWordPath));
  title('The first tick: IRQ 0 through the PIC to the processor, and its EOI');
  for (const line of seen.tickLines) out.write(line);
  title('What the guest prints on its serial port');
  out.write(seen.serial);
  title('Summary');
  if (end.kind === 'slice') {
    out.write(`the guest did not end within ${MAX_TICKS} ticks\n`);
    return EXIT_FINDING;
  }
  const exitCode = seen.serial.includes('Test OK') ? EXIT_OK : EXIT_FINDING;
  const format = plan.format;
  out.write(
    `${summaryLine({ board, file: GUEST, format, end, exitCode, instructions: vcpu.instructions })}\n`,
  );
  out.write(exitCode === EXIT_OK ? `${colors.green('Test OK')}\n` : `${colors.red(endText(end))}\n`);
  return exitCode;
}
