/**
 * Port I/O without the exit: what `handle_io` and everything below it do, made in one step while the guest runs on.
 *
 * Only for a vCPU whose exits nobody observes ({@link exitsAreUnobserved}), and only for what a kernel's device or the
 * board's bus takes at once. Devices, clock, counters and registers end as the way through the exit leaves them; a test
 * compares the two (test/unit/kvm/userspace-equality.test.ts). What this does not take is made by the exit:
 *
 * | instruction | taken here | left to the exit |
 * |---|---|---|
 * | IN, OUT | KVM's own devices on the PIO bus, ports of the board | what would be KVM_EXIT_IO, an embedder's device on the bus |
 * | REP OUTS | ports of the board, memory that is plain RAM | kernel devices, faults, MMIO |
 * | REP INS | ports of the board, upwards, into plain RAM | the same, and DF = 1 |
 */
import type { VirtualClock } from '../bus/clock.ts';
import { KVM_IO_BUS_FUNCTIONS, type KvmIoBus, kvmIoBusGetFirstDev } from '../bus/io-bus.ts';
import { IO_NOT_HANDLED, IO_NOTHING_STORED, type IoDevice } from '../bus/io-device.ts';
import type { Cpu } from '../cpu/cpu.ts';
import {
  INLINE_DONE,
  INLINE_DONE_YIELD,
  INLINE_EXIT,
  INLINE_REPEAT,
  INLINE_REPEAT_YIELD,
  type InlinePortIo,
  type PortSite,
} from '../cpu/inline-port-io.ts';
import { PAGE_MASK, PAGE_SIZE } from '../cpu/memory.ts';
import { elementsInPage, isPlainRam, plainAddress } from '../cpu/plain-ram.ts';
import { CX, DI, ECX, EDI, ESI, SI, X86_EFLAGS_DF, X86_EFLAGS_RF } from '../cpu/registers.ts';
import { type Insn, REP_NONE, SEG_ES } from '../decoder/insn.ts';
import { readAheadCount } from '../emulate/em-io.ts';
import { loadElement, storeElement } from '../emulate/pio.ts';
import { type IoSize, KVM_PIO_BUS } from '../uapi/kvm.ts';
import { EXIT_REASON_IO_INSTRUCTION } from '../uapi/vmx.ts';
import { KVM_FUNCTIONS } from './functions.ts';
import { dmRequestForIrqInjection } from './inject.ts';
import type { Vcpu } from './vcpu.ts';

/** Whether no trace, probe, debugger or embedder would see an exit for port I/O. */
export function exitsAreUnobserved(vcpu: Vcpu): boolean {
  return (
    vcpu.trace === null &&
    vcpu.observed === 0 &&
    vcpu.fn === KVM_FUNCTIONS &&
    vcpu.kvm.buses[KVM_PIO_BUS].fn === KVM_IO_BUS_FUNCTIONS &&
    vcpu.forceEmulation === 0 &&
    vcpu.guestDebug === 0 &&
    vcpu.cpu.emulatedHost === 0 &&
    vcpu.cpu.debug.armed === 0 &&
    !dmRequestForIrqInjection(vcpu)
  );
}

/** Slots of the memo of devices, by port and size: enough for a bus full of them. */
const MEMO_SLOTS = 4096;

/** Who answers at a port: see {@link PortSite}. */
interface Site extends PortSite {
  readonly device: IoDevice;
}

/** Port I/O of one vCPU. */
export class InlinePio implements InlinePortIo {
  readonly #vcpu: Vcpu;
  readonly #cpu: Cpu;
  readonly clock: VirtualClock;
  readonly #bus: KvmIoBus;
  readonly sites: KvmIoBus;
  /** Port and size as one number, and who was found there under `#generation` of the bus. */
  readonly #keys = new Int32Array(MEMO_SLOTS).fill(-1);
  readonly #found: (Site | null)[] = new Array<Site | null>(MEMO_SLOTS).fill(null);
  /** One site a device: the ports of one device share it. */
  readonly #known = new Map<IoDevice, Site>();
  #generation = -1;
  /** The last answer of {@link site}, and to what; it is asked before the memo. */
  #lastKey = -1;
  #last: Site | null = null;

  constructor(vcpu: Vcpu) {
    this.#vcpu = vcpu;
    this.#cpu = vcpu.cpu;
    this.clock = vcpu.kvm.clock;
    this.#bus = vcpu.kvm.buses[KVM_PIO_BUS];
    this.sites = this.#bus;
  }

  site(port: number, size: number): Site | null {
    const key = (port << 3) | size;
    if (this.#lastKey === key && this.#generation === this.#bus.generation) return this.#last;
    return this.#recall(port, size, key);
  }

  #recall(port: number, size: number, key: number): Site | null {
    if (this.#generation !== this.#bus.generation) this.#forget();
    const slot = ((port >>> 4) ^ (port << 8) ^ (size << 4)) & (MEMO_SLOTS - 1);
    if (this.#keys[slot] !== key) {
      // The key last: an embedder's `deviceFor` may throw.
      this.#found[slot] = this.#find(port, size as IoSize);
      this.#keys[slot] = key;
    }
    this.#lastKey = key;
    this.#last = this.#found[slot];
    return this.#last;
  }

  #forget(): void {
    this.#keys.fill(-1);
    this.#known.clear();
    this.#lastKey = -1;
    this.#generation = this.#bus.generation;
  }

  /**
   * Who may be asked without an exit: each device once, as the way through the exit would. A kernel's device that declines is asked
   * again by the exit, so only those are taken that decline for no reason but the access itself.
   */
  #find(port: number, size: IoSize): Site | null {
    const first = kvmIoBusGetFirstDev(this.#bus, port, size);
    if (first >= 0) {
      const device = this.#bus.range.dev[first];
      return device.ops === undefined ? null : this.#siteOf(device, false);
    }
    const { userspace } = this.#vcpu;
    if (userspace?.readDeclined === undefined || userspace.writeDeclined === undefined) return null;
    const device = userspace.deviceFor?.(port, size) ?? null;
    return device === null ? null : this.#siteOf(device, true);
  }

  #siteOf(device: IoDevice, isUserspace: boolean): Site {
    const known = this.#known.get(device);
    if (known?.isUserspace === isUserspace) return known;
    const site = { device, isUserspace };
    this.#known.set(device, site);
    return site;
  }

  output(port: number, size: number, value: number, remaining: number): number {
    const cpu = this.#cpu;
    const site = this.site(port, size);
    if (site === null) return INLINE_EXIT;
    this.clock.ticks = cpu.ticksAtEntry + (cpu.startBudget - remaining);
    if (!site.device.write(port, size as IoSize, value)) return this.outputDeclined(port, size, value);
    if (site.isUserspace) cpu.inlineUserspaceExits++;
    cpu.inlineExits++;
    return cpu.attention !== 0 ? INLINE_DONE_YIELD : INLINE_DONE;
  }

  input(port: number, size: number, remaining: number): number {
    const cpu = this.#cpu;
    const site = this.site(port, size);
    if (site === null) return INLINE_EXIT;
    this.clock.ticks = cpu.ticksAtEntry + (cpu.startBudget - remaining);
    return this.inputDone(port, size, site.device.read(port, size as IoSize));
  }

  outputDeclined(port: number, size: number, value: number): number {
    const cpu = this.#cpu;
    if (this.site(port, size)?.isUserspace !== true) return INLINE_EXIT;
    this.#vcpu.userspace?.writeDeclined?.(port, size as IoSize, value);
    cpu.inlineUserspaceExits++;
    cpu.inlineExits++;
    return cpu.attention !== 0 ? INLINE_DONE_YIELD : INLINE_DONE;
  }

  inputDone(port: number, size: number, read: number): number {
    const cpu = this.#cpu;
    const isUserspace = this.site(port, size)?.isUserspace === true;
    let value = read;
    if (value < 0 && isUserspace) value = this.#vcpu.userspace?.readDeclined?.(port, size as IoSize) ?? 0;
    if (value === IO_NOT_HANDLED) return INLINE_EXIT;
    // KVM: `kvm_fast_pio_in` starts from RAX, or from 0 for four bytes; a device that stores nothing leaves that.
    if (size === 4) cpu.gpr[0] = value === IO_NOTHING_STORED ? 0 : value;
    else if (value === IO_NOTHING_STORED) value = 0;
    else if (size === 2) cpu.r16[0] = value;
    else cpu.r8[0] = value;
    if (isUserspace) cpu.inlineUserspaceExits++;
    cpu.inlineExits++;
    return cpu.attention !== 0 ? INLINE_DONE_YIELD : INLINE_DONE;
  }

  string(insn: Insn, isIn: boolean, port: number, size: number, remaining: number): number {
    if (insn.rep === REP_NONE) return INLINE_EXIT;
    const cpu = this.#cpu;
    const site = this.site(port, size);
    if (site === null || !site.isUserspace) return INLINE_EXIT;
    const count = insn.addrMask === -1 ? cpu.gpr[ECX] >>> 0 : cpu.r16[CX];
    this.clock.ticks = cpu.ticksAtEntry + (cpu.startBudget - remaining);
    if (count === 0) {
      this.#countEmulations(1);
      cpu.sysFlags &= ~X86_EFLAGS_RF;
      return INLINE_DONE;
    }
    const done = isIn
      ? this.#ins(site.device, insn, port, size as IoSize)
      : this.#outs(site.device, insn, port, size as IoSize, Math.min(count, remaining));
    if (done === 0) return INLINE_EXIT;
    cpu.sysFlags |= X86_EFLAGS_RF;
    cpu.inlineTicks = done;
    return cpu.attention !== 0 ? INLINE_REPEAT_YIELD : INLINE_REPEAT;
  }

  /** One batch, as KVM asks userspace for it. @returns the number of elements, 0 to leave it to the exit. */
  #ins(device: IoDevice, insn: Insn, port: number, size: IoSize): number {
    const vcpu = this.#vcpu;
    const cpu = this.#cpu;
    if ((cpu.sysFlags & X86_EFLAGS_DF) !== 0) return 0;
    const count = readAheadCount(vcpu, insn, port, size);
    const bytes = count * size;
    const ea = cpu.gpr[EDI] & insn.addrMask;
    if (!isPlainRam(cpu, SEG_ES, ea, bytes, true)) return 0;
    this.#readInto(device, port, size, ea, count);
    // All at one instant; the last of its ticks is that of the last element.
    this.clock.ticks += count - 1;
    cpu.inlineUserspaceExits++;
    this.#countEmulations(1);
    if (insn.addrMask === -1) {
      cpu.gpr[EDI] += bytes;
      cpu.gpr[ECX] -= count;
    } else {
      cpu.r16[DI] += bytes;
      cpu.r16[CX] -= count;
    }
    return count;
  }

  /** `count` elements to ES:`ea`, which is plain RAM of at most two pages. */
  #readInto(device: IoDevice, port: number, size: IoSize, ea: number, count: number): void {
    const cpu = this.#cpu;
    const bytes = count * size;
    const isOnePage = bytes <= PAGE_SIZE - ((cpu.segBase[SEG_ES] + ea) & PAGE_MASK);
    const data = this.#vcpu.ctxt.ioReadData;
    if (
      isOnePage &&
      device.readMany?.(port, size, cpu.mem.ram, plainAddress(cpu, SEG_ES, ea), count) === true
    )
      return;
    // A device that is asked for each sees memory as it was before.
    for (let at = 0; at < bytes; at += size) {
      let value = device.read(port, size);
      if (value < 0) value = this.#vcpu.userspace?.readDeclined?.(port, size) ?? 0;
      storeElement(data, at, size, value);
    }
    writePlain(cpu, ea, data, bytes);
  }

  /** Elements one by one, each with its own time, until something is due. @returns how many. */
  #outs(device: IoDevice, insn: Insn, port: number, size: IoSize, most: number): number {
    const cpu = this.#cpu;
    const clock = this.clock;
    const { addrMask } = insn;
    const start = clock.ticks;
    const by = (cpu.sysFlags & X86_EFLAGS_DF) !== 0 ? -size : size;
    let done = 0;
    while (done < most) {
      const ea = cpu.gpr[ESI] & addrMask;
      // Downwards one at a time; upwards as many as lie whole in this page.
      const room = by < 0 ? 1 : elementsInPage(cpu, insn.seg, ea, size, addrMask);
      const n = Math.min(room, most - done);
      if (n === 0 || !isPlainRam(cpu, insn.seg, ea, n * size, false)) break;
      const from = plainAddress(cpu, insn.seg, ea);
      // The two pages of a crossing may lie anywhere.
      if ((from & PAGE_MASK) > PAGE_SIZE - size) break;
      const { ram } = cpu.mem;
      let i = 0;
      if (cpu.attention === 0 && device.writeMany?.(port, size, ram, from, n) === true) {
        i = n;
        clock.ticks = start + done + n - 1;
      } else {
        do {
          clock.ticks = start + done + i;
          const value = loadElement(ram, from + i * size, size);
          if (!device.write(port, size, value)) this.#vcpu.userspace?.writeDeclined?.(port, size, value);
          i++;
        } while (i < n && cpu.attention === 0);
      }
      done += i;
      if (addrMask === -1) {
        cpu.gpr[ESI] += i * by;
        cpu.gpr[ECX] -= i;
      } else {
        cpu.r16[SI] += i * by;
        cpu.r16[CX] -= i;
      }
      if (cpu.attention !== 0) break;
    }
    cpu.inlineUserspaceExits += done;
    this.#countEmulations(done);
    return done;
  }

  #countEmulations(count: number): void {
    this.#cpu.inlineExits += count;
    this.#vcpu.stat.insn_emulation += count;
  }
}

/** Writes the destination of INS, which is plain RAM of at most two pages. */
function writePlain(cpu: Cpu, ea: number, data: Uint8Array, bytes: number): void {
  const { ram } = cpu.mem;
  const first = Math.min(bytes, PAGE_SIZE - ((cpu.segBase[SEG_ES] + ea) & PAGE_MASK));
  let at = plainAddress(cpu, SEG_ES, ea);
  for (let i = 0; i < first; i++) ram[at + i] = data[i];
  if (first === bytes) return;
  at = plainAddress(cpu, SEG_ES, ea + first) - first;
  for (let i = first; i < bytes; i++) ram[at + i] = data[i];
}

/**
 * The exits that were spared count as exits: called behind every `runGuest`, before the clock moves on.
 *
 * @returns whether the last tick was such an exit's: what falls due there is found by KVM_RUN behind the exit, without another one.
 */
export function countInlineExits(vcpu: Vcpu): boolean {
  const { cpu, stat } = vcpu;
  const { inlineExits } = cpu;
  if (inlineExits === 0) return false;
  stat.exits += inlineExits;
  stat.byReason[EXIT_REASON_IO_INSTRUCTION] += inlineExits;
  stat.io_exits += inlineExits;
  stat.userspace_io_exits += cpu.inlineUserspaceExits;
  cpu.inlineExits = 0;
  cpu.inlineUserspaceExits = 0;
  // The clock stands where the last access was made.
  return vcpu.kvm.clock.ticks + 1 === cpu.ticksAtEntry + cpu.retired;
}
