/**
 * What a run was: one line for people, one JSON document for programs.
 */
import type { Board } from '../../boards/board.ts';
import type { AccessCount, PortAccesses } from '../../trace/access-counter.ts';
import type { PortNames } from '../../trace/port-names.ts';
import type { KvmRegs, KvmSregs } from '../../uapi/kvm.ts';
import { VMX_EXIT_REASONS } from '../../uapi/vmx.ts';
import { endText, type RunEnd } from './run-end.ts';

/** Version of the shape of {@link RunSummary}. */
export const RUN_SCHEMA_VERSION = 1;

/** What a run left behind. */
export interface RunResult {
  readonly board: Board;
  readonly file: string;
  readonly format: string;
  readonly end: RunEnd;
  readonly exitCode: number;
  readonly instructions: number;
}

/** Counts of everything that shares a device. */
interface DeviceAccesses {
  readonly device: string | null;
  readonly in: AccessCount;
  readonly out: AccessCount;
}

function exitsByReason(board: Board): Record<string, number> {
  const exits: Record<string, number> = {};
  board.vcpu.stat.byReason.forEach((count, reason) => {
    if (count > 0) exits[VMX_EXIT_REASONS[reason] ?? `reason ${reason}`] = count;
  });
  return exits;
}

function byDevice(ports: readonly PortAccesses[], names: PortNames): DeviceAccesses[] {
  const devices = new Map<string | null, DeviceAccesses>();
  for (const { port, in: reads, out: writes } of ports) {
    const device = names.deviceOf(port);
    const sum = devices.get(device) ?? { device, in: { count: 0, bytes: 0 }, out: { count: 0, bytes: 0 } };
    devices.set(device, sum);
    sum.in.count += reads.count;
    sum.in.bytes += reads.bytes;
    sum.out.count += writes.count;
    sum.out.bytes += writes.bytes;
  }
  return [...devices.values()];
}

/** By name, selectors instead of segments. */
export function registers(regs: KvmRegs, sregs: KvmSregs): Record<string, number> {
  const { cs, ds, es, fs, gs, ss, cr0 } = sregs;
  const segments = { cs, ds, es, fs, gs, ss };
  const selectors = Object.entries(segments).map(([name, segment]) => [name, segment.selector] as const);
  return { ...regs, ...Object.fromEntries(selectors), cr0: cr0 >>> 0 };
}

/** The document that `pio86 run --json` prints. All numbers are decimal; `end` keeps the fields of its kind. */
export function summaryJson(result: RunResult, ports: readonly PortAccesses[], names: PortNames) {
  const { board, end } = result;
  const {
    exits,
    io_exits,
    mmio_exits,
    halt_exits,
    irq_injections,
    insn_emulation,
    userspace_io_exits,
    non_exiting_io,
  } = board.vcpu.stat;
  return {
    schemaVersion: RUN_SCHEMA_VERSION,
    file: result.file,
    format: result.format,
    board: board.name,
    end: { ...end, text: endText(end) },
    exitCode: result.exitCode,
    instructions: result.instructions,
    virtualNs: board.vm.clock.nowNs,
    vmExits: { total: exits, byReason: exitsByReason(board) },
    stat: {
      io_exits,
      mmio_exits,
      halt_exits,
      irq_injections,
      insn_emulation,
      userspace_io_exits,
      non_exiting_io,
    },
    ports: ports.map((entry) => ({
      port: entry.port,
      name: names.nameOf(entry.port),
      device: names.deviceOf(entry.port),
      in: entry.in,
      out: entry.out,
    })),
    devices: byDevice(ports, names),
    registers: registers(board.vcpu.getRegs(), board.vcpu.getSregs()),
  };
}

/** 1,234,567. Without `Intl`, which takes longer to load than many a guest to run. */
const grouped = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, ',');
const counted = (value: number, noun: string): string =>
  `${grouped(value)} ${noun}${value === 1 ? '' : noun.endsWith('s') ? 'es' : 's'}`;

/** `the guest halted with interrupts off: 1,234 instructions, 0.000012 s, 45 exits (40 IO_INSTRUCTION, …)` */
export function summaryLine(result: RunResult): string {
  const { board, end, instructions } = result;
  const kinds = Object.entries(exitsByReason(board)).map(([name, count]) => `${grouped(count)} ${name}`);
  const seconds = (board.vm.clock.nowNs / 1e9).toFixed(6);
  const exits = `${counted(board.vcpu.stat.exits, 'exit')}${kinds.length > 0 ? ` (${kinds.join(', ')})` : ''}`;
  const { non_exiting_io } = board.vcpu.stat;
  const native = non_exiting_io > 0 ? `, ${counted(non_exiting_io, 'port access')} without an exit` : '';
  return `${endText(end)}: ${counted(instructions, 'instruction')}, ${seconds} s of virtual time, ${exits}${native}`;
}
