/**
 * The only file that imports iced-x86, which makes text of instructions. It is loaded when somebody asks for text, and not before: its
 * wasm takes time to load, and V8's code for typed arrays is slower in the whole process once a wasm memory has grown (see
 * docs/performance.md). It hides two of iced's rules: a Decoder copies its bytes into wasm when it is made, and wasm objects leak
 * unless they are freed.
 */
import { createRequire } from 'node:module';
import type * as IcedModule from 'iced-x86';

type Iced = typeof IcedModule;

/** What is kept inside wasm between two calls. */
interface Text {
  readonly iced: Iced;
  readonly instruction: IcedModule.Instruction;
  readonly formatter: IcedModule.Formatter;
  /** 0F 18–1F are hint NOPs on every processor modelled here, and F3 before WBINVD means nothing. */
  readonly options: number;
}

let loaded: Text | null = null;

function load(): Text {
  const iced = createRequire(import.meta.url)('iced-x86') as Iced;
  const formatter = new iced.Formatter(iced.FormatterSyntax.Nasm);
  formatter.hexPrefix = '0x';
  formatter.hexSuffix = '';
  formatter.uppercaseHex = false;
  formatter.spaceAfterOperandSeparator = false;
  formatter.branchLeadingZeros = false;
  formatter.showBranchSize = false;
  const options = iced.DecoderOptions.ForceReservedNop | iced.DecoderOptions.NoWbnoinvd;
  return { iced, instruction: new iced.Instruction(), formatter, options };
}

/** Text of one instruction in NASM syntax, with its length (0 when the bytes are no instruction). */
export function formatOne(bytes: Uint8Array, bitness: 16 | 32, ip: number): { text: string; len: number } {
  loaded ??= load();
  const { iced, instruction, formatter, options } = loaded;
  const decoder = new iced.Decoder(bitness, bytes, options);
  decoder.ip = BigInt(ip >>> 0);
  decoder.decodeOut(instruction);
  const bad = decoder.lastError !== iced.DecoderError.None;
  decoder.free();
  if (bad) return { text: '(bad)', len: 0 };
  return { text: formatter.format(instruction), len: instruction.length };
}

/** Frees what this module keeps inside wasm; for leak tests. The module works on afterwards. */
export function freeFormatters(): void {
  loaded?.instruction.free();
  loaded?.formatter.free();
  loaded = null;
}
