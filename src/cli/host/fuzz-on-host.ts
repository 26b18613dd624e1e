/**
 * `pio86 fuzz --oracle kvm`, in the child process: the host's KVM behind the fuzzer's interface of it.
 */
import { BED_MODES } from '../../diff/bed-modes.ts';
import { probeHost } from '../../diff/probe.ts';
import { localRunner } from '../../fuzz/engine/shard.ts';
import { ioctlRegisters, type OracleHost } from '../../fuzz/oracle/oracle-host.ts';
import type { HostKvm } from '../../host-kvm/host-kvm.ts';
import { SyncRegs } from '../../host-kvm/sync-regs.ts';
import { orThrow } from '../../kvm/or-throw.ts';
import { KVM_CAP_SYNC_REGS, KVM_SYNC_X86_REGS, KVM_SYNC_X86_SREGS } from '../../uapi/kvm.ts';
import type { CommandContext } from '../command.ts';
import { fuzzCampaign, replayCase } from '../fuzz/campaign-command.ts';
import type { FuzzCommandOptions } from '../fuzz/fuzz-options.ts';
import { createHostTarget } from '../fuzz/targets.ts';
import { HostEngine, openHostKvm } from './host-engine.ts';
import { sayStarted } from './request.ts';

/** KVM_RUN of the host comes back at least this often. */
const INTERRUPT_US = 50_000;
const SYNC_BOTH = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;

/** What the host's probe says, and machines of its kernel. @throws EmulatorError `E_IOCTL` when it refuses one. */
export function oracleHost(kvm: HostKvm): OracleHost {
  const probe = probeHost(new HostEngine(kvm), BED_MODES);
  const runs = (mode: string): boolean => probe.modes.some((answer) => answer.mode === mode && answer.runs);
  const canSync = (kvm.checkExtension(KVM_CAP_SYNC_REGS) & SYNC_BOTH) === SYNC_BOTH;
  return {
    emulatesIo: probe.emulatesIo,
    cannotRun: [
      ...(runs('v86') ? [] : (['v86'] as const)),
      ...(runs('prot16u') ? [] : (['prot16'] as const)),
      ...(runs('prot32') && runs('prot32u') ? [] : (['prot32'] as const)),
      // kvm_pvm ends a 32-bit guest that starts with CR0.PG set at its first fetch: KVM_EXIT_SHUTDOWN.
      ...(probe.paging ? [] : (['paging'] as const)),
    ],
    allocate: (bytes) => orThrow(kvm.allocateMemory(bytes), 'mmap'),
    createMachine(setUp) {
      const engine = new HostEngine(kvm);
      const vm = orThrow(kvm.createVm(), 'KVM_CREATE_VM');
      engine.vm = vm;
      setUp(vm);
      const vcpu = orThrow(vm.createVcpu(0), 'KVM_CREATE_VCPU');
      engine.vcpu = vcpu;
      const registers = canSync ? new SyncRegs(vcpu.run.buffer) : ioctlRegisters(vcpu);
      return { vm, vcpu, registers, resetVcpu: () => engine.resetVcpu(), codeWritten: () => {} };
    },
  };
}

/** Carries out the command. @returns the exit code. @throws CliError (absent) without `/dev/kvm`. */
export async function fuzzOnHost(
  context: CommandContext,
  name: string,
  options: FuzzCommandOptions,
): Promise<number> {
  const kvm = await openHostKvm();
  const onAlarm = (): void => {};
  process.on('SIGALRM', onAlarm);
  sayStarted();
  kvm.interruptEvery(INTERRUPT_US);
  try {
    const target = await createHostTarget(name, oracleHost(kvm));
    if (options.replay !== undefined) return await replayCase(context, target, options.replay, options);
    return await fuzzCampaign(context, name, options, localRunner(target));
  } finally {
    kvm.interruptEvery(0);
    process.off('SIGALRM', onAlarm);
  }
}
