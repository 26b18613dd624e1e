/**
 * Whether a port access exits under given I/O bitmaps, and which bit says so.
 *
 * Intel SDM vol. 3C, “I/O-Bitmap Addresses”, “Instructions That Cause VM Exits Conditionally”.
 */
import { CPU_BASED_USE_IO_BITMAPS } from '../uapi/vmx.ts';
import { IO_BITMAP_BYTES, nestedVmxExitHandledIo, setIoBitmapPorts } from '../vmx/io-bitmaps.ts';

/** Ports `first … last`. */
export interface PortSpan {
  readonly first: number;
  readonly last: number;
}

/** The answer, and a line for each port of the access. */
export interface IoExit {
  readonly exits: boolean;
  readonly bits: readonly string[];
}

const hex = (value: number): string => `0x${value.toString(16)}`;

/** What bitmaps with the bits of `spans` set do to an access of `size` ports. */
export function explainIoExit(spans: readonly PortSpan[], port: number, size: number): IoExit {
  const ioBitmapA = new Uint8Array(IO_BITMAP_BYTES);
  const ioBitmapB = new Uint8Array(IO_BITMAP_BYTES);
  const controls = { cpuBasedVmExecControl: CPU_BASED_USE_IO_BITMAPS, ioBitmapA, ioBitmapB };
  for (const { first, last } of spans) setIoBitmapPorts(controls, first, last, true);
  const bits = Array.from({ length: size }, (_, i) => {
    const at = port + i;
    if (at > 0xffff) return `port ${hex(at)} is past 0xffff: the access exits`;
    const isA = at < 0x8000;
    const byte = (at & 0x7fff) >> 3;
    const bit = ((isA ? ioBitmapA : ioBitmapB)[byte] >> (at & 7)) & 1;
    return `port ${hex(at)}: bit ${at & 7} of byte ${hex(byte)} of I/O bitmap ${isA ? 'A' : 'B'} is ${bit}`;
  });
  return { exits: nestedVmxExitHandledIo(controls, port, size), bits };
}
