; rep-insw.asm - a row of words from a port into memory with one instruction.
;
; INSW reads a word from the port in DX, stores it at ES:DI and moves DI by 2 (down if DF = 1); REP does it CX times. A
; segment override is ignored: it is always ES. Intel SDM vol. 2, "INS/INSB/INSW/INSD" and "REP".
; Disks without DMA were read like this: 256 words from port 0x1F0 are a sector.
;
; Port 0x5F0 belongs to nobody, so a word from it is 0xFFFF; the mask register of the 8259A, port 0x21, gives bytes of
; our choice. Real mode: a string that runs over offset 0xFFFF would fault, so all of this stays inside its segment.
;
; In the trace: unlike OUTS, KVM reads ahead: `rep insw` is one exit to user space with count 256, not 256 exits. A row
; ends where DI leaves its 4 KiB page: 0x3F80 leaves 0x80 bytes, so the first batch there has 0x80 elements (KVM compares
; bytes with elements). With DF = 1 the buffer is stored element by element.
;
; board:  kvm pc
; expect: 256 words upwards
; expect: 256 words downwards
; expect: across a page
; expect: bytes from the mask register
; expect: Test OK
; exit:   0

%include "guest.inc"

NOBODY  equ 0x5f0
PIC1    equ 0x20
BUFFER  equ 0x3000
GUARD   equ 0xbeef                ; around the buffer, to see that nothing else is written

main:
; Upwards.
        mov   di, BUFFER - 2
        call  prepare
        mov   di, BUFFER
        mov   cx, 256
        mov   dx, NOBODY
        rep insw
        cmp   cx, 0
        must  e, "CX is 0 after REP"
        cmp   di, BUFFER + 512
        must  e, "DI is behind the last word"
        mov   di, BUFFER - 2
        call  verify
        say   "256 words upwards", 10

; Downwards: DI starts at the last word. The override is there to be ignored: FS is not ES.
        mov   di, BUFFER - 2
        call  prepare
        mov   ax, 0x5000
        mov   fs, ax
        mov   di, BUFFER + 510
        mov   cx, 256
        std
        fs rep insw
        cld
        cmp   di, BUFFER - 2
        must  e, "DF = 1: DI is in front of the first word"
        mov   di, BUFFER - 2
        call  verify
        say   "256 words downwards", 10

; Across a page boundary, which is no boundary for the segment.
        mov   di, BUFFER + 0xf80 - 2
        call  prepare
        mov   di, BUFFER + 0xf80
        mov   cx, 256
        rep insw
        cmp   di, BUFFER + 0xf80 + 512
        must  e, "DI has crossed the page"
        mov   di, BUFFER + 0xf80 - 2
        call  verify
        say   "across a page", 10

; REP INSB from a device that KVM has itself.
        mov   al, 0x5a
        out   PIC1 + 1, al
        mov   dx, PIC1 + 1
        mov   di, BUFFER
        mov   cx, 100
        rep insb
        cmp   di, BUFFER + 100
        must  e, "INSB moves DI by 1"
        mov   di, BUFFER
        mov   cx, 100
        mov   al, 0x5a
        repe scasb
        must  e, "100 times the mask register"
        say   "bytes from the mask register", 10
        mov   al, 0xff
        out   PIC1 + 1, al

; CX = 0: no access, nothing moves.
        mov   di, BUFFER
        xor   cx, cx
        rep insw
        cmp   di, BUFFER
        must  e, "CX = 0: DI is untouched"
        jmp   passed

; ES:DI: guard word, 256 words of 0, guard word. Changes AX, CX, DI.
prepare:
        mov   ax, GUARD
        stosw
        xor   ax, ax
        mov   cx, 256
        rep stosw
        mov   ax, GUARD
        stosw
        ret

; ES:DI: guard word, 256 words of 0xFFFF, guard word. Changes AX, CX, DI.
verify:
        mov   ax, GUARD
        scasw
        must  e, "the word before the buffer is untouched"
        mov   ax, 0xffff
        mov   cx, 256
        repe scasw
        must  e, "256 words were stored"
        mov   ax, GUARD
        scasw
        must  e, "the word behind the buffer is untouched"
        ret
