; post-codes.asm - how firmware speaks before it can print: port 0x80, 0xE9 and 0x402.
;
; Port 0x80 is the diagnostic port of the PC: each step of a BIOS writes its number there, and a plug-in card shows the
; last one. If the machine hangs, the number says where. Nobody answers and nobody needs to.
; The debug consoles take text: 0xE9 comes from Bochs (a read returns 0xE9 if it is there), 0x402 from SeaBIOS under
; QEMU. A write costs one access and needs no status register, unlike the UART.
; IBM PC AT Technical Reference, "Manufacturing test port"; Bochs documentation, "port_e9_hack".
;
; In the trace: `pio_write at 0x80` lines are the progress of this program. KVM has no device at 0x80, but Linux itself
; writes there too, to let slow devices breathe: each such write is an exit to user space.
;
; board:  kvm pc
; debug:  port 0xE9: step 2
; debug:  port 0x402: step 3
; expect: steps 1 to 4 done
; expect: Test OK
; exit:   0

%include "guest.inc"

POST_PORT     equ 0x80
BOCHS_DEBUG   equ 0xe9
SEABIOS_DEBUG equ 0x402

%macro step 1
        mov   al, %1
        out   POST_PORT, al
%endmacro

main:
        step  0x01                ; we are running

        step  0x02
        mov   si, text_e9
        mov   dx, BOCHS_DEBUG
        call  debug_print

        step  0x03
        mov   si, text_402
        mov   dx, SEABIOS_DEBUG
        call  debug_print

        step  0x04                ; the UART works
        say   "steps 1 to 4 done", 10
        step  0xff                ; by custom: the end of the self-test
        jmp   passed

; The zero-terminated string at DS:SI to port DX, a byte at a time. Changes AX, SI.
debug_print:
        lodsb
        test  al, al
        jz    .end
        out   dx, al
        jmp   debug_print
.end:   ret

text_e9:  db "port 0xE9: step 2", 10, 0
text_402: db "port 0x402: step 3", 10, 0
