; rep-outsb.asm - a string to a port with one instruction.
;
; OUTSB writes the byte at DS:SI to the port in DX and moves SI on (down if DF = 1); REP does it CX times. DS can be
; overridden. Intel SDM vol. 2, "OUTS/OUTSB/OUTSW/OUTSD" and "REP".
;
; In the trace: a string instruction is one VM exit with bit 4 (string) and bit 5 (REP) of the exit qualification set,
; and KVM does not use its fast path: it decodes the instruction again (kvm_emulate_instruction). Each byte of OUTS is
; an access of its own: count is 1 in every kvm_pio line, and the instruction is resumed after each.
; The text goes to the debug console 0xE9 and, 16 bytes of it, to the UART, whose FIFO holds 16.
;
; board:  kvm pc
; debug:  forwards
; debug:  backwards
; debug:  from ES
; debug:  32-bit
; expect: sixteen letters.
; expect: Test OK
; exit:   0

%include "guest.inc"

DEBUG_PORT equ 0xe9
UART_FCR   equ 0x3fa              ; FIFO control register: bit 0 enables the FIFOs
UART_LCR   equ 0x3fb              ; line control register: 0x03 = 8 bits, no parity, 1 stop bit

main:
; Upwards.
        mov   si, forwards
        mov   cx, forwards_len
        mov   dx, DEBUG_PORT
        rep outsb
        cmp   cx, 0
        must  e, "CX is 0 after REP"
        cmp   si, forwards + forwards_len
        must  e, "SI is behind the string"
        cmp   dx, DEBUG_PORT
        must  e, "DX is untouched"

; Downwards: the text lies in memory from its last letter to its first.
        std
        mov   si, sdrawkcab + sdrawkcab_len - 1
        mov   cx, sdrawkcab_len
        rep outsb
        cld
        cmp   si, sdrawkcab - 1
        must  e, "DF = 1: SI is in front of the string"

; CX = 0: no access, nothing moves.
        mov   si, forwards
        xor   cx, cx
        rep outsb
        cmp   si, forwards
        must  e, "CX = 0: SI is untouched"

; A segment override: ES:SI. OUTS honours it, INS would not. Segment S begins at address S * 16.
        mov   ax, from_es_segment
        mov   es, ax
        inc   ax
        mov   ds, ax              ; another segment, to be sure that DS is not used
        mov   si, (from_es - $$ + 0x1000) & 15
        mov   cx, from_es_len
        es rep outsb
        xor   ax, ax
        mov   ds, ax
        mov   es, ax

; A 32-bit address size (prefix 67) uses ESI and ECX as a whole.
        mov   esi, thirty_two
        mov   ecx, thirty_two_len
        a32 rep outsb
        cmp   ecx, 0
        must  e, "ECX is 0 after REP with a 32-bit address size"
        cmp   esi, thirty_two + thirty_two_len
        must  e, "ESI is behind the string"

; To the UART: with its FIFO on, 16 bytes may follow each other without a look at the line status.
        mov   dx, UART_LCR
        mov   al, 0x03
        out   dx, al
        mov   dx, UART_FCR
        mov   al, 0x07            ; FIFOs on and emptied
        out   dx, al
        mov   dx, UART_LSR
.drain: in    al, dx
        test  al, UART_LSR_THRE
        jz    .drain
        mov   si, letters
        mov   cx, 16
        mov   dx, UART_THR
        rep outsb
        say   10
        jmp   passed

forwards:       db "forwards", 10
forwards_len    equ $ - forwards
sdrawkcab:      db 10, "sdrawkcab"
sdrawkcab_len   equ $ - sdrawkcab
from_es:        db "from ES", 10
from_es_len     equ $ - from_es
from_es_segment equ (from_es - $$ + 0x1000) >> 4
thirty_two:     db "32-bit", 10
thirty_two_len  equ $ - thirty_two
letters:        db "sixteen letters."
