; a20.asm - the gate on address line 20, and its two switches.
;
; On the 8086 an address beyond 1 MiB wrapped round to 0, and programs relied on it. So the PC AT got a gate that holds
; line 20 of the address bus at 0, and put its switch where a pin was free: bit 1 of the keyboard controller's output
; port (8042: command 0xD1 to port 0x64, then the byte to 0x60). Later machines added a fast switch: bit 1 of port 0x92.
; Bit 0 of either port resets the CPU; take care of it.
; IBM PC AT Technical Reference, "Keyboard controller"; IBM PS/2 Technical Reference, "System Control Port A".
; KVM has no gate: on a board of its own kind, without these ports, there is nothing to see.
;
; FFFF:0510 is 0xFFFF0 + 0x510 = 0x100500. With the gate closed, that is the same byte as 0000:0500.
;
; In the trace: writes to port 0x92; then 0xD1 to 0x64 and 0xDF (open) or 0xDD (closed) to 0x60, each after a read of port
; 0x64 whose bit 1 (input buffer full) must be 0.
;
; board:  pc
; expect: both switches off: 0x100500 is 0x000500
; expect: port 0x92 opens the gate
; expect: port 0x92 closes the gate
; expect: the keyboard controller opens the gate
; expect: the keyboard controller closes the gate
; expect: Test OK
; exit:   0

%include "guest.inc"

FAST_A20   equ 0x92               ; bit 1: gate open; bit 0: reset the CPU
KBC_DATA   equ 0x60
KBC_STATUS equ 0x64               ; read: bit 1 = input buffer full
KBC_COMMAND equ 0x64
WRITE_OUTPUT_PORT equ 0xd1
OUTPUT_OPEN   equ 0xdf            ; bit 1: gate open; bit 0 = 1: no reset
OUTPUT_CLOSED equ 0xdd
LOW_WORD   equ 0x0500

main:
        mov   ax, 0xffff
        mov   es, ax              ; ES:0510 = 0x100500

        call  fast_off
        call  kbc_off
        call  is_same
        must  e, "both off: the address wraps"
        say   "both switches off: 0x100500 is 0x000500", 10

        in    al, FAST_A20
        and   al, 0xfc
        or    al, 0x02
        out   FAST_A20, al
        call  is_same
        must  ne, "port 0x92 opens the gate"
        say   "port 0x92 opens the gate", 10

        call  fast_off
        call  is_same
        must  e, "port 0x92 closes the gate"
        say   "port 0x92 closes the gate", 10

        mov   ah, OUTPUT_OPEN
        call  kbc_output_port
        call  is_same
        must  ne, "the keyboard controller opens the gate"
        say   "the keyboard controller opens the gate", 10

        call  kbc_off
        call  is_same
        must  e, "the keyboard controller closes the gate"
        say   "the keyboard controller closes the gate", 10

        mov   ah, OUTPUT_OPEN     ; leave it open, as every system today does
        call  kbc_output_port
        jmp   passed

; ZF = 1 if 0000:0500 and FFFF:0510 are the same memory. Changes AX.
is_same:
        mov   ax, [stamp]
        inc   word [stamp]        ; a new value each time: no old one can pass for it
        mov   [es:LOW_WORD + 0x10], ax
        not   ax
        mov   [LOW_WORD], ax
        cmp   [es:LOW_WORD + 0x10], ax
        ret

; Changes AL.
fast_off:
        in    al, FAST_A20
        and   al, 0xfc
        out   FAST_A20, al
        ret

; Writes AH to the output port of the keyboard controller. Changes AX, CX.
kbc_off:
        mov   ah, OUTPUT_CLOSED
kbc_output_port:
        call  kbc_ready
        mov   al, WRITE_OUTPUT_PORT
        out   KBC_COMMAND, al
        call  kbc_ready
        mov   al, ah
        out   KBC_DATA, al
        call  kbc_ready
        ret
kbc_ready:
        xor   cx, cx
.busy:  in    al, KBC_STATUS
        test  al, 0x02
        loopnz .busy
        must  z, "the keyboard controller takes a byte"
        ret

stamp:  dw    0x1234
