/** `pio86 trace --graph`: which of KVM's functions each access goes through. */
import { usageError } from '../cli-error.ts';
import { type CommandSpec, collect } from '../command.ts';
import { CPU_OPTION, type CpuOption, cpuOf } from '../cpu-option.ts';
import { JIT_OPTION, type JitOption } from '../jit-option.ts';
import { parseCount, parseNumber } from '../numbers.ts';

interface PortRangeOption {
  readonly first: number;
  readonly last: number;
}

interface TraceOptions extends CpuOption, JitOption {
  readonly graph?: boolean;
  readonly port?: readonly PortRangeOption[];
  readonly limit: number;
  readonly board: 'kvm' | 'pc';
  readonly maxInsns: number;
  readonly forceEmulation?: boolean;
}

const DEFAULT_LIMIT = 1000;
const DEFAULT_MAX_INSNS = 100_000_000;
const MAX_PORT = 0xffff;
/** Graphs wait here until the guest's slice is over. */
const SLICE_INSNS = 20_000;

function parsePorts(text: string): PortRangeOption {
  const [from = '', to = from, ...more] = text.split('-');
  const first = parseNumber('--port', from, 0, MAX_PORT);
  const last = parseNumber('--port', to, 0, MAX_PORT);
  if (more.length > 0 || last < first) throw usageError(`--port: '${text}' is not PORT or FIRST-LAST`);
  return { first, last };
}

export const traceCommand: CommandSpec<TraceOptions> = {
  name: 'trace',
  summary: "print the call graph of each access, as ftrace's function_graph",
  description:
    "Runs FILE and prints which of KVM's functions each of its accesses goes through, in the shape of " +
    "ftrace's function_graph tracer with virtual time. What the guest prints is standard error. " +
    "KVM's tracepoints are 'pio86 run --trace'.",
  examples: [
    'pio86 trace --graph examples/pit-irq.bin',
    'pio86 trace --graph --port 0x40-0x43 --limit 2 examples/pit-irq.bin',
  ],
  arguments: [{ name: '<file>', description: "guest: as for 'pio86 run'" }],
  options: [
    { flags: '--graph', description: 'call graphs (this is the only kind of trace here)' },
    {
      flags: '--port <ports>',
      description: 'only accesses to PORT or FIRST-LAST (repeatable); default: all, memory too',
      parse: collect(parsePorts),
    },
    {
      flags: '--limit <n>',
      description: 'end after n graphs',
      default: DEFAULT_LIMIT,
      parse: (text) => parseCount('--limit', text, 1, Number.MAX_SAFE_INTEGER),
    },
    { flags: '--board <board>', description: 'which machine', choices: ['kvm', 'pc'], default: 'pc' },
    CPU_OPTION,
    JIT_OPTION,
    {
      flags: '--max-insns <n>',
      description: 'end (exit code 5) after n instructions',
      default: DEFAULT_MAX_INSNS,
      defaultText: '100M',
      parse: (text) => parseCount('--max-insns', text, 1, Number.MAX_SAFE_INTEGER),
    },
    {
      flags: '--force-emulation',
      description: 'IN and OUT through em_in and em_out instead of kvm_fast_pio',
    },
  ],
  async action({ io, out, err }, [file = ''], options) {
    if (options.graph !== true)
      throw usageError("trace: say --graph; for tracepoints use 'pio86 run --trace'");
    const { AccessGraph } = await import('../../introspect/access-graph.ts');
    const { CALL_GRAPH_HEADER } = await import('../../trace/call-graph.ts');
    const { createBoardWithJit } = await import('../create-board-with-jit.ts');
    const { loadFile, reportEnd, runToEnd } = await import('../run/run-to-end.ts');
    const sink = { write: (byte: number): void => err.write(Uint8Array.of(byte)) };
    const forceEmulation = options.forceEmulation === true;
    const board = createBoardWithJit(
      options.board,
      { serial: sink, debug: sink, forceEmulation, ...cpuOf(options) },
      options,
    );
    await loadFile(board, file, io);
    const { limit, maxInsns } = options;
    const graph = new AccessGraph(board.vm.clock, { ports: options.port ?? [], limit }, (text) =>
      out.write(text),
    );
    board.vm.setHooks(graph);
    board.vcpu.trace = graph.tracepoints;
    out.write(CALL_GRAPH_HEADER);
    const end = await runToEnd(board, io, {
      out,
      maxInsns,
      sliceTicks: SLICE_INSNS,
      isDone: () => graph.isDone,
    });
    return reportEnd(end, err);
  },
};
