/**
 * What KVM does with an I/O instruction beyond its path: counts, batches, registers (Linux 6.12, x86.c, emulate.c).
 */
import type { IoSize } from '../uapi/kvm.ts';

/** The instruction, as far as the notes depend on it. */
export interface NoteKey {
  readonly isIn: boolean;
  readonly isString: boolean;
  readonly isRep: boolean;
  readonly size: IoSize;
  /** A REP prefix on IN or OUT, which the processor ignores. */
  readonly hasIdleRep: boolean;
  /** Protected mode: the I/O permission applies. */
  readonly isProtected: boolean;
}

const READ_AHEAD_BYTES = 1024;

function permissionNote(isProtected: boolean): string {
  return isProtected
    ? 'Before the VM exit the processor checks CPL against IOPL and, if CPL > IOPL, the TSS bitmap: ' +
        '#GP(0) comes first.'
    : 'Real mode: no permission check.';
}

function fastNotes({ isIn, size, hasIdleRep }: NoteKey): string[] {
  const notes = ['The fast path decodes nothing: size, port and direction come from the qualification.'];
  if (isIn) {
    notes.push(
      size === 4
        ? 'EAX is replaced as a whole (RAX is zero-extended).'
        : `Only the low ${size === 1 ? 'byte' : 'word'} of EAX changes.`,
    );
  } else {
    notes.push('Port 0x7e is a quirk: RIP moves on before the exit to userspace.');
  }
  if (hasIdleRep) {
    notes.push(
      'The REP prefix has no effect here; on the emulator path it would enlarge the count of the exit ' +
        '(read-ahead), with only the first element used.',
    );
  }
  return notes;
}

function stringInNotes({ isRep, size }: NoteKey): string[] {
  if (!isRep) return ['One element: KVM_EXIT_IO has count 1, memory is written after the port was read.'];
  return [
    `Batches: n = min(bytes left in the page of (E)DI, ${READ_AHEAD_BYTES / size}, (E)CX) elements an exit, ` +
      'at least 1. The page is counted in bytes and compared with elements, as KVM does.',
    'DF = 0: the batch is stored as one block, the segment limit is checked over all of it; DF = 1: element ' +
      'by element.',
    'RIP stays at the instruction; one more pass with (E)CX = 0 moves it on.',
  ];
}

function stringOutNotes({ isRep }: NoteKey): string[] {
  if (!isRep) return ['One element: KVM_EXIT_IO has count 1 and RIP is already past the instruction.'];
  return [
    'OUTS never batches: every element is an access of its own, an exit to userspace has count 1.',
    'In the kernel the emulator loops until the low 10 bits of (E)CX are 0: at most 1,024 elements an exit.',
    'RIP stays at the instruction; one more pass with (E)CX = 0 moves it on.',
  ];
}

/** Sentences about the instruction. */
export function kvmNotes(key: NoteKey): string[] {
  const own = key.isString ? (key.isIn ? stringInNotes(key) : stringOutNotes(key)) : fastNotes(key);
  const emulator = key.isString
    ? [
        'handle_io ignores the rest of the qualification for strings: x86_decode_emulated_instruction ' +
          'decodes the bytes again.',
      ]
    : [];
  return [permissionNote(key.isProtected), ...emulator, ...own];
}
