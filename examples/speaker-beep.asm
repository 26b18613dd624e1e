; speaker-beep.asm - the PC speaker at 1000 Hz, and its frequency measured.
;
; The chips: channel 2 of the 8254 timer makes the tone: mode 3, square wave, 1,193,182 Hz / 1193. Port 0x61 of the PC
; (system control port B) opens its gate (bit 0), lets its output through to the speaker (bit 1) and shows that output
; (bit 5). Data sheet: Intel 8254, "Mode 3: Square Wave Mode"; port 0x61: IBM PC AT Technical Reference, "System board
; I/O ports".
;
; What differs: on the chip a low gate stops the count of mode 3 and holds OUT high. KVM's timer, and so this emulator's,
; only remembers the rising edge of the gate: it counts on while the gate is low. So the gate is opened first here.
;
; In the trace: 0xB6 to port 0x43 (channel 2, both bytes, mode 3), the count 0x04A9 to port 0x42, then a long row of
; reads of port 0x61 in which bit 5 (0x20) comes and goes. Bit 4 is the memory refresh toggle.
;
; board:  kvm pc
; expect: gate open, speaker on
; expect: OUT 2 goes up and down at 1000 Hz
; expect: Test OK
; exit:   0

%include "guest.inc"

PIT_CHANNEL0 equ 0x40
PIT_CHANNEL2 equ 0x42
PIT_CONTROL  equ 0x43
PORT_61      equ 0x61
GATE2        equ 0x01
SPEAKER      equ 0x02
OUT2         equ 0x20
COUNT        equ 1193             ; 1,193,182 Hz / 1193 = 1000.2 Hz
PERIODS      equ 2
TRIES        equ 50
CLOCKS       equ PERIODS * COUNT  ; what channel 0, the stopwatch, must count meanwhile

main:
        mov   al, 0xb6            ; channel 2, low byte then high byte, mode 3, binary
        out   PIT_CONTROL, al
        mov   al, COUNT & 0xff
        out   PIT_CHANNEL2, al
        mov   al, COUNT >> 8
        out   PIT_CHANNEL2, al

        in    al, PORT_61         ; read, change two bits, write: the other bits are not ours
        or    al, GATE2 | SPEAKER
        out   PORT_61, al
        in    al, PORT_61
        and   al, GATE2 | SPEAKER
        cmp   al, GATE2 | SPEAKER
        must  e, "port 0x61 keeps gate and speaker bit"
        say   "gate open, speaker on", 10

        mov   al, 0x34            ; channel 0 as a stopwatch: mode 2, count 65,536
        out   PIT_CONTROL, al
        xor   al, al
        out   PIT_CHANNEL0, al
        out   PIT_CHANNEL0, al

        mov   di, TRIES
.measure:
        call  rising_edge
        call  latch_channel0
        mov   bx, ax              ; BX = start
        mov   bp, PERIODS
.next:  call  rising_edge
        dec   bp
        jnz   .next
        call  latch_channel0
        sub   bx, ax              ; BX = clocks that passed; channel 0 counts down
        sub   bx, CLOCKS - CLOCKS / 8
        cmp   bx, CLOCKS / 4
        jbe   .measured           ; an eighth off at most
        dec   di                  ; a host that was busy meanwhile makes it look longer: try again
        must  nz, "two periods take 2386 clocks"
        jmp   .measure
.measured:
        say   "OUT 2 goes up and down at 1000 Hz", 10

        in    al, PORT_61
        and   al, ~(GATE2 | SPEAKER) & 0xff
        out   PORT_61, al
        in    al, PORT_61
        test  al, GATE2 | SPEAKER
        must  z, "port 0x61: speaker off"
        jmp   passed

; Returns when OUT 2 has been low and is high again. Gives up after 65,535 reads of either. Changes AL, CX.
rising_edge:
        xor   cx, cx
.high:  in    al, PORT_61
        test  al, OUT2
        loopnz .high
        must  z, "OUT 2 goes low"
        xor   cx, cx
.low:   in    al, PORT_61
        test  al, OUT2
        loopz .low
        must  nz, "OUT 2 goes high"
        ret

; AX = count of channel 0 now.
latch_channel0:
        mov   al, 0x00
        out   PIT_CONTROL, al
        in    al, PIT_CHANNEL0
        mov   ah, al
        in    al, PIT_CHANNEL0
        xchg  al, ah
        ret
