/**
 * What every board offers to the program that runs it: a machine with its ports wired, driven in slices.
 */
import type { IoDevice } from '../bus/io-device.ts';
import type { ByteSink } from '../bus/irq-line.ts';
import type { CpuModelName, Kvm } from '../kvm/kvm.ts';
import type { VmSnapshot } from '../kvm/snapshot.ts';
import type { Vcpu } from '../kvm/vcpu.ts';
import type { Vm, VmOptions } from '../kvm/vm.ts';
import type { ExtraDevice } from './extra-devices.ts';
import type { UnclaimedState } from './unclaimed.ts';

export type { CpuModelName };

/** What happens when a guest touches a port or address that nobody claims. */
export type UnclaimedPolicy = 'open-bus' | 'warn' | 'error';

/** How a board is built. */
export interface BoardOptions {
  /** RAM from physical address 0, bytes; a whole number of 4 KiB pages. Default 16 MiB. */
  memoryBytes?: number;
  /** Ticks (retired instructions, REP iterations) a second of virtual time. Default 100 M. */
  ips?: number;
  /** The processor: `486`, `p6` or `max`. Default: that of {@link kvm}, `max`. */
  cpu?: CpuModelName;
  /** Whether, or when, hot code becomes generated functions; results are the same. Default true. */
  jit?: VmOptions['jit'];
  /** What the RTC shows at power-on, seconds since 1970-01-01T00:00:00Z. Default {@link DEFAULT_RTC_SECONDS}. */
  rtcSeconds?: number;
  /** Where the UART's bytes go. Default: nowhere. */
  serial?: ByteSink;
  /** Where the debug consoles' bytes (0xE9, 0x402) go. Default: nowhere. */
  debug?: ByteSink;
  /** Default `open-bus`: reads are all ones, writes vanish. */
  unclaimed?: UnclaimedPolicy;
  /** Told once a port (or page of memory) and direction under the policy `warn`, {@link MAX_WARNINGS} times at most. */
  onWarning?: (line: string) => void;
  /** IN and OUT also through the instruction emulator (emIn, emOut). Default false. */
  forceEmulation?: boolean;
  /** Devices beyond the board's own. Default: none. */
  extraDevices?: readonly ExtraDevice[];
  /** The KVM to create the machine with, for probes that watch its creation. Default: a new one. */
  kvm?: Kvm;
}

/** Lines that the policy `warn` gives before a last one says that there is more. */
export const MAX_WARNINGS = 64;

/** RAM without {@link BoardOptions.memoryBytes}. */
export const DEFAULT_MEMORY_BYTES = 16 * 1024 * 1024;

/** 2026-01-01T00:00:00Z: fixed, so that two runs are the same. */
export const DEFAULT_RTC_SECONDS = 1_767_225_600;

/** Why `Board.run` came back. */
export type BoardEnd =
  /** The tick limit of this call is reached; call again to go on. */
  | { readonly kind: 'slice' }
  /** The guest wrote `code` to the exit port 0xF4. */
  | { readonly kind: 'exit'; readonly code: number }
  /** HLT with IF = 0 and no NMI source: the end. */
  | { readonly kind: 'halted' }
  /** HLT with IF = 1 and no alarm set: only input from outside can go on. */
  | { readonly kind: 'idle' }
  /** The guest pulled the reset line (keyboard controller, port 0x92). `Board.reset()` then starts it anew. */
  | { readonly kind: 'reset'; readonly source: string }
  /** Triple fault (KVM_EXIT_SHUTDOWN). */
  | { readonly kind: 'shutdown' }
  /** KVM_EXIT_INTERNAL_ERROR: what could not be emulated, and where. */
  | { readonly kind: 'internal-error'; readonly message: string }
  /** An unclaimed port or address under the policy `error`. */
  | { readonly kind: 'unclaimed'; readonly message: string };

/** A board as it was. Made by `Board.snapshot`; good for any number of restores. */
export interface BoardSnapshot {
  /** The kind of board. */
  readonly board: string;
  readonly vm: VmSnapshot;
  /** The board's own devices, by name. */
  readonly devices: Readonly<Record<string, unknown>>;
  /** Levels of the devices' interrupt wires, in the order in which they were laid. */
  readonly lines: readonly (0 | 1)[];
  /** What accesses to nobody have been reported. */
  readonly unclaimed: UnclaimedState;
}

/** One row of a board's port map. */
export interface PortRange {
  readonly base: number;
  readonly len: number;
  /** As in `/proc/ioports`, for example `pic1`. */
  readonly label: string;
  /** The device's `name`, for example `i8259`. */
  readonly device: string;
}

/** A machine with its ports wired. */
export interface Board {
  readonly name: string;
  readonly vm: Vm;
  readonly vcpu: Vcpu;
  /** Every claimed port range, sorted: the kernel's devices and the board's own. */
  readonly portMap: readonly PortRange[];
  /** Which device takes an access to `port` (its `name`), or null: for counts and traces. */
  deviceAt(port: number): string | null;
  /** The board's own devices by their `name`. */
  readonly devices: ReadonlyMap<string, IoDevice>;
  /**
   * Maps ROM. Where RAM lies already, the bytes are copied into it and its pages made read-only; elsewhere a read-only
   * slot is added. The guest's stores to it vanish.
   *
   * @throws EmulatorError `E_MEMORY` for an address or length that is not whole 4 KiB pages below 4 GiB.
   */
  addRom(bytes: Uint8Array, gpa: number): void;
  /** Runs until something in {@link BoardEnd} happens, for at most `maxTicks` ticks of virtual time. */
  run(maxTicks: number): BoardEnd;
  /** A byte arrives on the serial line. @returns whether the UART's FIFO had room for it. */
  receiveSerial(byte: number): boolean;
  /** A byte of scan code set 2 comes from the keyboard. @returns whether there is one and it had room. */
  receiveScancode(byte: number): boolean;
  /** Resets CPU, the kernel's devices and the board's; memory and time stay. */
  reset(): void;
  /** Plain-data copy of the state of the board's own devices, by name. */
  saveDevices(): Record<string, unknown>;
  /** Restores what {@link saveDevices} returned. The clock must stand where it stood then. */
  loadDevices(states: Readonly<Record<string, unknown>>): void;
  /** The whole machine as it is now, between two runs: cheap, see {@link VmSnapshot}. */
  snapshot(): BoardSnapshot;
  /**
   * Makes the machine what it was when `snapshot` was taken, here or on a board built with the same options; running on is
   * then the same as the first time. What has left the machine (serial bytes, warnings) is not taken back.
   *
   * @throws EmulatorError `E_ARGUMENT` for another kind of board or another shape, `E_STATE` when memory slots have come or
   * gone since (ROM outside the RAM was added). Nothing has changed then.
   */
  restore(snapshot: BoardSnapshot): void;
}
