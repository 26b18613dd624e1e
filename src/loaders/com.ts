/**
 * DOS .COM program: one segment with a program segment prefix in front, and just enough of DOS behind INT 20h and
 * INT 21h for the program to print and to end. Specified by Microsoft's MS-DOS Programmer's Reference, “Program
 * Segment Prefix” and the function requests 00h, 02h, 09h and 4Ch.
 *
 * DOS is guest code here (at 0050:0000): it prints on the debug console and ends on the exit port, so a trace shows
 * what it does.
 */
import { EmulatorError } from '../errors.ts';
import { hex, type Image, type LoadPlan, type MemoryWrite, requireBytes } from './image.ts';

/** Segment of the program: its prefix lies at 0x1000, its code starts at 0x1100. */
export const COM_SEGMENT = 0x100;
const COM_ORIGIN = 0x100;
const SEGMENT_SIZE = 0x10000;
/** The word at SS:FFFE that a final RET takes to the INT 20h at offset 0 of the prefix. */
const RETURN_WORD = 2;
/** Largest program. */
export const COM_SIZE_MAX = SEGMENT_SIZE - COM_ORIGIN - RETURN_WORD;

const DOS_SEGMENT = 0x50;
const CONVENTIONAL_MEMORY_END_SEGMENT = 0xa000;

// biome-ignore format: one instruction a line.
const DOS_CODE = [
  /* 00 int 20h    */ 0x30, 0xc0, //              xor al,al
  /* 02 exit:      */ 0xe6, 0xf4, //              out 0xf4,al
  /* 04            */ 0xeb, 0xfe, //              jmp $
  /* 06 exception: */ 0xb0, 0xff, //              mov al,0xff
  /* 08            */ 0xeb, 0xf8, //              jmp exit
  /* 0a ignored:   */ 0xcf, //                    iret
  /* 0b int 21h    */ 0x80, 0xfc, 0x4c, //        cmp ah,0x4c    4Ch: end with exit code AL
  /* 0e            */ 0x74, 0xf2, //              je exit
  /* 10            */ 0x84, 0xe4, //              test ah,ah     00h: end
  /* 12            */ 0x74, 0xec, //              jz int 20h
  /* 14            */ 0x80, 0xfc, 0x02, //        cmp ah,2       02h: print DL
  /* 17            */ 0x74, 0x11, //              je putc
  /* 19            */ 0x80, 0xfc, 0x09, //        cmp ah,9       09h: print DS:DX up to '$'
  /* 1c            */ 0x74, 0x11, //              je puts
  /* 1e            */ 0x55, //                    push bp        anything else: CF = 1, AX = 1
  /* 1f            */ 0x89, 0xe5, //              mov bp,sp
  /* 21            */ 0x80, 0x4e, 0x06, 0x01, //  or byte [bp+6],1
  /* 25            */ 0x5d, //                    pop bp
  /* 26            */ 0xb8, 0x01, 0x00, //        mov ax,1
  /* 29            */ 0xcf, //                    iret
  /* 2a putc:      */ 0x88, 0xd0, //              mov al,dl
  /* 2c            */ 0xe6, 0xe9, //              out 0xe9,al
  /* 2e            */ 0xcf, //                    iret
  /* 2f puts:      */ 0x56, //                    push si
  /* 30            */ 0x89, 0xd6, //              mov si,dx
  /* 32            */ 0xfc, //                    cld
  /* 33 next:      */ 0xac, //                    lodsb
  /* 34            */ 0x3c, 0x24, //              cmp al,'$'
  /* 36            */ 0x74, 0x04, //              je done
  /* 38            */ 0xe6, 0xe9, //              out 0xe9,al
  /* 3a            */ 0xeb, 0xf7, //              jmp next
  /* 3c done:      */ 0x5e, //                    pop si
  /* 3d            */ 0xcf, //                    iret
];
const INT20_OFFSET = 0x00;
const EXCEPTION_OFFSET = 0x06;
const IGNORED_OFFSET = 0x0a;
const INT21_OFFSET = 0x0b;
/** Vectors below this are exceptions (and IRQs that no program asked for): they end the run with code 0xff. */
const FIRST_SERVICE_VECTOR = 0x10;

function interruptVectors(): Uint8Array {
  const table = new Uint8Array(256 * 4);
  const view = new DataView(table.buffer);
  for (let vector = 0; vector < 256; vector++) {
    view.setUint16(vector * 4, vector < FIRST_SERVICE_VECTOR ? EXCEPTION_OFFSET : IGNORED_OFFSET, true);
    view.setUint16(vector * 4 + 2, DOS_SEGMENT, true);
  }
  view.setUint16(0x20 * 4, INT20_OFFSET, true);
  view.setUint16(0x21 * 4, INT21_OFFSET, true);
  return table;
}

function programSegmentPrefix(): Uint8Array {
  const psp = new Uint8Array(COM_ORIGIN);
  psp.set([0xcd, 0x20], 0); // INT 20h
  new DataView(psp.buffer).setUint16(2, CONVENTIONAL_MEMORY_END_SEGMENT, true);
  psp.set([0xcd, 0x21, 0xcb], 0x50); // INT 21h, RETF
  psp[0x81] = 0x0d; // empty command tail
  return psp;
}

/**
 * Plans a .COM program.
 *
 * @throws EmulatorError `E_IMAGE` for an empty file, `E_IMAGE_SIZE` for one that does not fit its segment.
 */
export function planCom(image: Image): LoadPlan {
  requireBytes(image);
  const { bytes, name } = image;
  if (bytes.length > COM_SIZE_MAX) {
    throw new EmulatorError(
      'E_IMAGE_SIZE',
      `${name}: ${hex(bytes.length)} bytes, a .COM program has at most ${hex(COM_SIZE_MAX)}`,
    );
  }
  const at = COM_SEGMENT * 16;
  const segment = new Uint8Array(SEGMENT_SIZE);
  segment.set(programSegmentPrefix(), 0);
  segment.set(bytes, COM_ORIGIN);
  const writes: MemoryWrite[] = [
    { name: `${name} (interrupt vectors)`, gpa: 0, bytes: interruptVectors() },
    { name: `${name} (DOS)`, gpa: DOS_SEGMENT * 16, bytes: Uint8Array.from(DOS_CODE) },
    { name, gpa: at, bytes: segment },
  ];
  return {
    format: 'com',
    writes,
    rom: null,
    start: {
      mode: 'real',
      cs: COM_SEGMENT,
      ip: COM_ORIGIN,
      dataSegment: COM_SEGMENT,
      sp: SEGMENT_SIZE - RETURN_WORD,
      dx: 0,
    },
  };
}
