; self-modify.asm - a loop that rewrites the port number inside its own IN instruction.
;
; `in al, imm8` is two bytes: E4 and the port. A program without a spare register for DX may patch the second byte and
; run the instruction at once. The processor must notice: since the Pentium Pro a store to code that is about to run
; takes effect with the next instruction (Intel SDM vol. 3A, "Self-Modifying Code"; a 386 could run the old bytes from
; its prefetch queue, and needs a jump in between).
; An emulator that keeps decoded instructions must drop the one that was written to, and no other: `tries` below is a
; counter in the same 64 bytes as the loop, whose every change is a store next to code.
;
; The two 8259As are the witnesses: their mask registers, ports 0x21 and 0xA1, hold different bytes.
;
; In the trace: the same CS:IP reads port 0x21, then 0xA1, then 0x21, ... In the last part the opcode itself
; changes: E4 (in al, imm8) becomes B0 (mov al, imm8), and the exit disappears.
;
; board:  kvm pc
; expect: the port number changes 200 times
; expect: the opcode changes 100 times
; expect: the instruction behind the store changes
; expect: Test OK
; exit:   0

%include "guest.inc"

PIC1_DATA equ 0x21
PIC2_DATA equ 0xa1
MASK1     equ 0xe7
MASK2     equ 0x3c
IN_AL     equ 0xe4                ; in al, imm8
MOV_AL    equ 0xb0                ; mov al, imm8

main:
        mov   al, MASK1
        out   PIC1_DATA, al
        mov   al, MASK2
        out   PIC2_DATA, al

; 1. The immediate.
        mov   cx, 100
.swap:  mov   byte [.read + 1], PIC1_DATA
        call  .read
        cmp   al, MASK1
        must  e, "patched to port 0x21"
        mov   byte [.read + 1], PIC2_DATA
        call  .read
        cmp   al, MASK2
        must  e, "patched to port 0xA1"
        loop  .swap
        cmp   word [tries], 200
        must  e, "the counter beside the loop counts"
        say   "the port number changes 200 times", 10

; 2. The opcode.
        mov   cx, 50
.turn:  mov   word [.read], MOV_AL | 0x77 << 8
        call  .read
        cmp   al, 0x77
        must  e, "IN became MOV"
        mov   word [.read], IN_AL | PIC1_DATA << 8
        call  .read
        cmp   al, MASK1
        must  e, "MOV became IN"
        loop  .turn
        say   "the opcode changes 100 times", 10

; 3. The very next instruction, in straight code: no jump between the store and what it changes.
        mov   bx, 2
.round: mov   byte [.here + 1], PIC2_DATA
.here:  in    al, PIC1_DATA
        cmp   al, MASK2
        must  e, "the next instruction is the patched one"
        mov   byte [.here + 1], PIC1_DATA ; back, so that the second round starts like the first
        dec   bx
        jnz   .round
        say   "the instruction behind the store changes", 10
        jmp   passed

.read:  in    al, 0x00            ; patched before every call
        inc   word [tries]
        ret
tries:  dw    0                   ; data beside code
