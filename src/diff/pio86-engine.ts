/**
 * pio86's own engine behind the interface that a `Vmm` and a `TestBed` use, set up so that it can be compared with a
 * kernel: on the kernel's path for IN and OUT, in slices, and with the call graph of its latest accesses at hand.
 */
import type { Engine, EngineVcpu, EngineVm } from '../boards/vmm.ts';
import type { KvmFunctions, KvmTracepoints, KvmVcpu } from '../emulate/kvm-vcpu.ts';
import { EmulatorError } from '../errors.ts';
import { Kvm } from '../kvm/kvm.ts';
import { orThrow } from '../kvm/or-throw.ts';
import type { Vcpu } from '../kvm/vcpu.ts';
import type { Vm } from '../kvm/vm.ts';
import { CallGraphRecorder, formatCallTree } from '../trace/call-graph.ts';

/** Functions that a path begins in. */
const ROOTS = new Set([
  'handleIo',
  'handleEptViolation',
  'completeFastPioIn',
  'completeFastPioOut',
  'completeFastPioOutPort0x7e',
  'completeEmulatedPio',
]);
/** Paths that are kept. */
const KEPT_PATHS = 3;

/** How the engine runs. */
export interface Pio86EngineOptions {
  /** IN and OUT through the instruction emulator, as on a host that emulates them. */
  readonly forceEmulation: boolean;
  /** KVM_RUN answers −EINTR after so many ticks, as a timer signal would. */
  readonly sliceTicks: number;
  /** Remember the function path of the latest accesses. Default: no. */
  readonly keepPaths?: boolean;
  /** Functions to use instead of KVM's: a planted bug. */
  readonly functions?: Partial<KvmFunctions>;
  readonly tracepoints?: KvmTracepoints;
}

/** Machines of pio86. */
export class Pio86Engine implements Engine {
  readonly name = 'pio86';
  readonly reusesMachine = false;
  readonly #options: Pio86EngineOptions;
  readonly #paths: string[] = [];
  vm: Vm | null = null;
  vcpu: Vcpu | null = null;

  constructor(options: Pio86EngineOptions) {
    this.#options = options;
  }

  createVm(): EngineVm {
    const vm = orThrow(new Kvm().createVm(), 'KVM_CREATE_VM');
    if (this.#options.keepPaths === true) this.#recordPaths(vm);
    this.vm = vm;
    return vm;
  }

  createVcpu(): EngineVcpu {
    const { vm } = this;
    if (vm === null) throw new EmulatorError('E_STATE', 'KVM_CREATE_VCPU: no machine');
    const { forceEmulation, functions, sliceTicks, tracepoints } = this.#options;
    const vcpu = orThrow(vm.createVcpu(0), 'KVM_CREATE_VCPU');
    vcpu.forceEmulation = forceEmulation ? 1 : 0;
    if (functions !== undefined) vcpu.fn = { ...vcpu.fn, ...functions };
    if (tracepoints !== undefined) vcpu.trace = tracepoints;
    this.vcpu = vcpu;
    return {
      run: vcpu.run,
      kvmRun(): number {
        vcpu.tickLimit = vm.clock.ticks + sliceTicks;
        return vcpu.kvmRun();
      },
      getRegs: () => vcpu.getRegs(),
      setRegs: (regs) => vcpu.setRegs(regs),
      getSregs: () => vcpu.getSregs(),
      setSregs: (sregs) => vcpu.setSregs(sregs),
    };
  }

  allocate(bytes: number): Uint8Array {
    return new Uint8Array(bytes);
  }

  /** HLT leaves as KVM_EXIT_HLT here whenever nothing can wake the processor. */
  isHalted(): boolean {
    return false;
  }

  /** Call graphs of the latest accesses, oldest first; empty without `keepPaths`. */
  get paths(): readonly string[] {
    return this.#paths;
  }

  #recordPaths(vm: Vm): void {
    const paths = this.#paths;
    const recorder = new CallGraphRecorder(vm.clock, (root) => {
      paths.push(formatCallTree(root));
      if (paths.length > KEPT_PATHS) paths.shift();
    });
    let depth = 0;
    vm.setHooks({
      enter(name: string, args: readonly unknown[]): void {
        if (depth === 0 && !(ROOTS.has(name) && isVcpu(args[0]))) return;
        depth++;
        recorder.enter(name);
      },
      leave(): void {
        if (depth === 0) return;
        depth--;
        recorder.leave();
      },
    });
  }
}

function isVcpu(value: unknown): value is KvmVcpu {
  return typeof value === 'object' && value !== null && 'cpu' in value;
}
