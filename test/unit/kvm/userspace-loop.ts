/**
 * A VMM's loop for tests: runs to the HLT and notes every exit.
 */
import {
  KVM_EXIT_HLT,
  KVM_EXIT_IO,
  KVM_EXIT_IO_IN,
  KVM_IOEVENTFD_FLAG_DATAMATCH,
  KVM_IOEVENTFD_FLAG_PIO,
  type KvmEventfd,
  type KvmIoeventfd,
} from '../../../src/uapi/kvm.ts';
import type { Machine } from './real-machine.ts';

const MAX_EXITS = 5000;

/** `out 40 1 12` or `in 40 1` an exit (port, size and data in hex; `*n` behind a batch), until HLT. */
export function exitsOf({ vcpu }: Machine): string[] {
  const exits: string[] = [];
  const { run } = vcpu;
  while (exits.length < MAX_EXITS) {
    const r = vcpu.kvmRun();
    if (r === 0 && run.exit_reason === KVM_EXIT_HLT) return exits;
    if (r !== 0 || run.exit_reason !== KVM_EXIT_IO) return [...exits, `stop ${r} ${run.exit_reason}`];
    const { port, size, count, direction } = run.io;
    const data = Buffer.from(run.pioData.slice(0, size)).reverse().toString('hex');
    const what = direction === KVM_EXIT_IO_IN ? `in ${port.toString(16)} ${size}` : '';
    exits.push((what || `out ${port.toString(16)} ${size} ${data}`) + (count > 1 ? `*${count}` : ''));
  }
  return exits;
}

/** Arguments of an ioeventfd on ports: with a `datamatch`, or for any value. */
export function pioEvent(
  fd: KvmEventfd,
  addr: number,
  len: number,
  datamatch?: number | bigint,
): KvmIoeventfd {
  const flags = KVM_IOEVENTFD_FLAG_PIO | (datamatch === undefined ? 0 : KVM_IOEVENTFD_FLAG_DATAMATCH);
  return { fd, addr, len, datamatch: datamatch ?? 0, flags };
}
