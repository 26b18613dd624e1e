/**
 * The reference model's registers, and what a run of it depends on besides them.
 */
import type { ReferencePaging } from './reference-walk.ts';
import type { CaseMode, SegmentAccess } from './string-io-case.ts';

/** One segment register. */
export interface ReferenceSegment {
  selector: number;
  base: number;
  limit: number;
  /** Protected mode: what may be done with it. */
  access: SegmentAccess;
}

/** Registers, unsigned, with the mode and the privilege level that go with them. */
export interface ReferenceState {
  eax: number;
  ebx: number;
  ecx: number;
  edx: number;
  esi: number;
  edi: number;
  ebp: number;
  esp: number;
  eip: number;
  eflags: number;
  cr2: number;
  mode: CaseMode;
  cpl: number;
  es: ReferenceSegment;
  cs: ReferenceSegment;
  ss: ReferenceSegment;
  ds: ReferenceSegment;
  fs: ReferenceSegment;
  gs: ReferenceSegment;
}

/** What a run depends on besides the registers. */
export interface ReferenceSetup {
  readonly mode: CaseMode;
  readonly cpl: number;
  readonly tssLimit: number;
  /** IN and OUT also go through KVM's instruction emulator. */
  readonly isForced: boolean;
  /** Where userspace sets EIP at its first exit; −1: it does not. */
  readonly moveTo: number;
  /** Null without paging. */
  readonly paging: ReferencePaging | null;
}

/** Real mode, and nothing out of the ordinary. */
export const NO_SETUP: ReferenceSetup = {
  mode: 'real',
  cpl: 0,
  tssLimit: 0,
  isForced: false,
  moveTo: -1,
  paging: null,
};

/** After power-on, all segments from 0. */
export function powerOnState(): ReferenceState {
  const segment = (): ReferenceSegment => ({ selector: 0, base: 0, limit: 0xffff, access: 'rw' });
  const [es, cs, ss] = [segment(), segment(), segment()];
  const [ds, fs, gs] = [segment(), segment(), segment()];
  const registers = { eax: 0, ebx: 0, ecx: 0, edx: 0, esi: 0, edi: 0, ebp: 0, esp: 0, eip: 0, eflags: 2 };
  return { ...registers, cr2: 0, mode: 'real', cpl: 0, es, cs, ss, ds, fs, gs };
}
