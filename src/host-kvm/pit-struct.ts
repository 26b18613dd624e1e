/**
 * `struct kvm_pit_state2`, `kvm_pit_config`, `kvm_reinject_control` (Linux: arch/x86/include/uapi/asm/kvm.h,
 * include/uapi/linux/kvm.h).
 */
import type { KvmPitChannelState, KvmPitState2 } from '../uapi/kvm.ts';
import { SIZEOF } from './ioctl-numbers.ts';
import { StructView } from './struct-view.ts';

const CHANNEL_SIZE = 24;
const LATCHED_COUNT = 4;
const BYTES = 6;
const COUNT_LOAD_TIME = 16;
const FLAGS = 3 * CHANNEL_SIZE;

/** The byte-wide fields of a channel, from offset 6 on. */
const CHANNEL_BYTES = [
  'count_latched',
  'status_latched',
  'status',
  'read_state',
  'write_state',
  'write_latch',
  'rw_mode',
  'mode',
  'bcd',
  'gate',
] as const satisfies readonly (keyof KvmPitChannelState)[];

function unpackChannel(view: StructView, at: number): KvmPitChannelState {
  const bytes = CHANNEL_BYTES.map((name, i) => [name, view.u8(at + BYTES + i)] as const);
  return {
    count: view.u32(at),
    latched_count: view.u16(at + LATCHED_COUNT),
    ...(Object.fromEntries(bytes) as unknown as Omit<
      KvmPitChannelState,
      'count' | 'latched_count' | 'count_load_time'
    >),
    count_load_time: view.s64(at + COUNT_LOAD_TIME),
  };
}

function packChannel(view: StructView, at: number, channel: Readonly<KvmPitChannelState>): void {
  view.setU32(at, channel.count);
  view.setU16(at + LATCHED_COUNT, channel.latched_count);
  CHANNEL_BYTES.forEach((name, i) => {
    view.setU8(at + BYTES + i, channel[name]);
  });
  view.setU64(at + COUNT_LOAD_TIME, channel.count_load_time);
}

export function unpackPit2(view: StructView): KvmPitState2 {
  return {
    channels: [
      unpackChannel(view, 0),
      unpackChannel(view, CHANNEL_SIZE),
      unpackChannel(view, 2 * CHANNEL_SIZE),
    ],
    flags: view.u32(FLAGS),
  };
}

export function packPit2({ channels, flags }: Readonly<KvmPitState2>): StructView {
  const view = new StructView(SIZEOF.kvm_pit_state2);
  channels.forEach((channel, i) => {
    packChannel(view, i * CHANNEL_SIZE, channel);
  });
  view.setU32(FLAGS, flags);
  return view;
}
