/** The peers by name, and which of them are here. */
import { EmulatorError } from '../../errors.ts';
import { BenchFailure } from '../bench-failure.ts';
import type { BenchHost } from '../bench-host.ts';
import { Bochs } from './bochs.ts';
import { kvm } from './kvm.ts';
import type { Peer } from './peer.ts';
import { qemu } from './qemu.ts';
import { v86 } from './v86.ts';

/** Every peer, in the order of the report. */
export const PEERS: readonly Peer[] = [v86, qemu, new Bochs(), kvm];

/** Somebody or something that is left out, and why. */
export interface Skipped {
  readonly name: string;
  readonly why: string;
}

/** Peers that are here, with versions, and those that are not. */
export interface FoundPeers {
  readonly found: readonly { readonly peer: Peer; readonly version: string }[];
  readonly skipped: readonly Skipped[];
}

/** @throws EmulatorError `E_ARGUMENT` for a name that is none. */
export function choosePeers(names: readonly string[], peers = PEERS): readonly Peer[] {
  const wrong = names.find((name) => !peers.some((peer) => peer.name === name));
  if (wrong !== undefined) {
    const known = peers.map(({ name }) => name).join(', ');
    throw new EmulatorError('E_ARGUMENT', `bench: '${wrong}' is no peer; there are ${known}`);
  }
  return peers.filter(({ name }) => names.includes(name));
}

/** Looks for each of `peers`. */
export async function findPeers(host: BenchHost, peers: readonly Peer[]): Promise<FoundPeers> {
  const found: { peer: Peer; version: string }[] = [];
  const skipped: Skipped[] = [];
  for (const peer of peers) {
    try {
      found.push({ peer, version: await peer.version(host) });
    } catch (error) {
      if (!(error instanceof BenchFailure)) throw error;
      skipped.push({ name: peer.name, why: error.message });
    }
  }
  return { found, skipped };
}
