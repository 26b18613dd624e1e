import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** Bytes of hex text; what follows `;` on a line is assembly for people. */
export function bytes(text: string): Uint8Array {
  const hex = text.replace(/;.*$/gm, '').replace(/\s/g, '');
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}

/** A folder of guest files for one test file, gone afterwards. */
export function guestFolder() {
  const dir = mkdtempSync(join(tmpdir(), 'pio86-test-'));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  return {
    dir,
    /** A path in the folder, whether or not there is such a file. */
    path: (name: string): string => join(dir, name),
    /** Writes a file. @returns its path. */
    file(name: string, content: Uint8Array | string): string {
      const path = join(dir, name);
      writeFileSync(path, content);
      return path;
    },
  };
}

/** Loops for ever. */
export const LOOP = bytes('eb fe ; jmp $');
/** Halts with interrupts off. */
export const HALT = bytes('f4 ; hlt');
/** Sleeps with interrupts on, for ever. */
export const SLEEP = bytes(`
  fb     ; sti
  f4     ; hlt
  eb fd  ; jmp the hlt
`);
/** Writes 5 to the exit port. */
export const EXIT_5 = bytes(`
  b0 05  ; mov al,5
  e6 f4  ; out 0xf4,al
`);
/** An empty interrupt table, then an exception. */
export const TRIPLE_FAULT = bytes(`
  0f 01 1e 06 10     ; lidt [0x1006]
  cc                 ; int3
  00 00 00 00 00 00  ; limit 0
`);
/** Jumps to F000:0000. */
export const JUMP_TO_F000 = bytes('ea 00 00 00 f0 ; jmp 0xf000:0');
/** Prints `Hi` on the UART, `dbg` on the debug console, and halts. */
export const HELLO = bytes(`
  ba f8 03       ; mov dx,0x3f8
  b0 48 ee       ; mov al,'H' / out dx,al
  b0 69 ee       ; mov al,'i' / out dx,al
  b0 64 e6 e9    ; mov al,'d' / out 0xe9,al
  b0 62 e6 e9    ; mov al,'b' / out 0xe9,al
  b0 67 e6 e9    ; mov al,'g' / out 0xe9,al
  f4             ; hlt
`);
/** Writes `x` to the UART for ever. */
export const FLOOD_UART = bytes(`
  ba f8 03  ; mov dx,0x3f8
  b0 78     ; mov al,'x'
  ee        ; out dx,al
  eb fd     ; jmp the out
`);
/** Writes and reads a port that nobody claims, for ever. */
export const FLOOD_PORT = bytes(`
  ba 34 12  ; mov dx,0x1234
  ef        ; out dx,ax
  66 ed     ; in eax,dx
  eb fb     ; jmp the out
`);
/** Polls the UART, echoes every byte, halts after `q`. */
export const ECHO = bytes(`
  ba fd 03     ; 1000 mov dx,0x3fd
  ec           ; 1003 in al,dx
  a8 01        ; 1004 test al,1
  74 fb        ; 1006 jz 1003
  ba f8 03     ; 1008 mov dx,0x3f8
  ec           ; 100b in al,dx
  3c 71        ; 100c cmp al,'q'
  74 03        ; 100e je 1013
  ee           ; 1010 out dx,al
  eb ed        ; 1011 jmp 1000
  fa f4        ; 1013 cli / hlt
`);
/** Changes the immediate of its own `mov al` from 1 to 7, and ends with it on the exit port. */
export const SELF_MODIFYING = bytes(`
  c6 06 06 10 07  ; 1000 mov byte [0x1006],7
  b0 01           ; 1005 mov al,1
  e6 f4           ; 1007 out 0xf4,al
`);
/** Prints `Hi!` through INT 21h and ends with code 3. */
export const COM_HELLO = bytes(`
  b4 09        ; 100 mov ah,9
  ba 12 01     ; 102 mov dx,0x112
  cd 21        ; 105 int 0x21
  b4 02        ; 107 mov ah,2
  b2 21        ; 109 mov dl,'!'
  cd 21        ; 10b int 0x21
  b8 03 4c     ; 10d mov ax,0x4c03
  cd 21        ; 110 int 0x21
  48 69 24     ; 112 db 'Hi$'
`);
