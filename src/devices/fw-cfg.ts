/**
 * QEMU's firmware configuration device, the part that says how large the machine is (QEMU, docs/specs/fw_cfg.rst;
 * standard-headers/linux/qemu_fw_cfg.h): a selector at 0x510 and a stream of bytes at 0x511.
 *
 * Honours 2-byte writes at 0x510 (select an item; its bytes start over) and 1-byte reads at 0x511; other widths are
 * declined. An item that there is not reads as zeros, as do the bytes behind the end of one. Items cannot be written.
 */
import { IO_NOT_HANDLED, type IoDevice, type IoSize } from '../bus/io-device.ts';

/** Selector; the data port is the next one. */
export const FW_CFG_PORT = 0x510;
/** Ports that the device claims. */
export const FW_CFG_PORT_LEN = 2;

const FW_CFG_SIGNATURE = 0x00;
const FW_CFG_ID = 0x01;
const FW_CFG_RAM_SIZE = 0x03;
const FW_CFG_NB_CPUS = 0x05;
const FW_CFG_MAX_CPUS = 0x0f;

/** What is selected, and how far it was read. */
export interface FwCfgState {
  selector: number;
  offset: number;
}

/** `value` as little-endian bytes. */
function littleEndian(value: number, bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, i) => Math.floor(value / 2 ** (8 * i)) & 0xff);
}

/** The device. */
export class FwCfg implements IoDevice {
  readonly name = 'fw-cfg';
  readonly state: FwCfgState = { selector: FW_CFG_SIGNATURE, offset: 0 };
  readonly #items: ReadonlyMap<number, Uint8Array>;

  /** @param memoryBytes RAM of the machine; it has one CPU. */
  constructor(memoryBytes: number) {
    this.#items = new Map([
      [FW_CFG_SIGNATURE, Uint8Array.from([0x51, 0x45, 0x4d, 0x55])], // “QEMU”
      [FW_CFG_ID, littleEndian(1, 4)], // bit 0: the traditional interface; no DMA
      [FW_CFG_RAM_SIZE, littleEndian(memoryBytes, 8)],
      [FW_CFG_NB_CPUS, littleEndian(1, 2)],
      [FW_CFG_MAX_CPUS, littleEndian(1, 2)],
    ]);
  }

  read(addr: number, size: IoSize): number {
    if (addr !== FW_CFG_PORT + 1 || size !== 1) return IO_NOT_HANDLED;
    const { state } = this;
    const item = this.#items.get(state.selector);
    if (item === undefined || state.offset >= item.length) return 0;
    return item[state.offset++];
  }

  write(addr: number, size: IoSize, value: number): boolean {
    if (addr !== FW_CFG_PORT || size !== 2) return false;
    this.state.selector = value;
    this.state.offset = 0;
    return true;
  }

  /** Power-on state. */
  reset(): void {
    this.state.selector = FW_CFG_SIGNATURE;
    this.state.offset = 0;
  }

  saveState(): FwCfgState {
    return { ...this.state };
  }

  loadState(state: unknown): void {
    Object.assign(this.state, state as FwCfgState);
  }
}
