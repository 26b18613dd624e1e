; pit-readback.asm - three ways to read an 8254 counter that does not stand still.
;
; The chip: the 8254 timer. Its 16-bit counters are read a byte at a time, so between the two reads the count moves on.
; A counter latch command (control word with bits 5:4 = 00) freezes a copy; the read-back command (bits 7:6 = 11)
; freezes copies of several channels at once and can also freeze a status byte: OUT, NULL COUNT and the way the channel
; was programmed. Data sheet: Intel 8254, "Counter Latch Command" and "Read-Back Command".
;
; What differs: NULL COUNT (status bit 6) is 1 on the chip from the control word until the count is loaded. KVM's
; timer always reports 0, and so does this emulator. The test looks at what chip and KVM agree on: bits 5:0.
;
; In the trace: the reads of port 0x42 after a write of 0xC8 or 0xE8 to port 0x43 return first the status, then the
; count's low byte, then its high byte: one port, three meanings in a row.
;
; board:  kvm pc
; expect: status byte: access, mode and BCD as programmed
; expect: latched count: stands still until it is read
; expect: read-back: status, low byte, high byte, in this order
; expect: Test OK
; exit:   0

%include "guest.inc"

PIT_CHANNEL0 equ 0x40
PIT_CHANNEL2 equ 0x42
PIT_CONTROL  equ 0x43
PORT_61      equ 0x61             ; bit 0: gate of channel 2

RW_LOW       equ 1 << 4           ; control word and status, bits 5:4
RW_BOTH      equ 3 << 4
MODE_2       equ 2 << 1           ; bits 3:1
CHANNEL_2    equ 2 << 6           ; control word only, bits 7:6
READ_BACK    equ 3 << 6
NO_COUNT     equ 1 << 5           ; read-back: 1 = do not latch the count
NO_STATUS    equ 1 << 4           ; read-back: 1 = do not latch the status
OF_CHANNEL_0 equ 1 << 1
OF_CHANNEL_2 equ 1 << 3

main:
        in    al, PORT_61         ; gate of channel 2 high (it counts), speaker off
        and   al, 0xfc
        or    al, 0x01
        out   PORT_61, al

; 1. The status byte tells how the channel was programmed.
        mov   al, CHANNEL_2 | RW_LOW | MODE_2
        out   PIT_CONTROL, al
        mov   al, READ_BACK | NO_COUNT | OF_CHANNEL_2
        out   PIT_CONTROL, al
        in    al, PIT_CHANNEL2
        and   al, 0x3f            ; leave out OUT and NULL COUNT
        cmp   al, RW_LOW | MODE_2
        must  e, "status after a control word for the low byte only"

        mov   al, CHANNEL_2 | RW_BOTH | MODE_2
        out   PIT_CONTROL, al
        xor   al, al              ; count 0 means 65,536
        out   PIT_CHANNEL2, al
        out   PIT_CHANNEL2, al
        mov   al, READ_BACK | NO_COUNT | OF_CHANNEL_2
        out   PIT_CONTROL, al
        in    al, PIT_CHANNEL2
        and   al, 0x3f
        cmp   al, RW_BOTH | MODE_2
        must  e, "status after a control word for both bytes"
        say   "status byte: access, mode and BCD as programmed", 10

; 2. A latched count stands still. Channel 0, also in mode 2, is the clock that shows that time passes.
        mov   al, RW_BOTH | MODE_2
        out   PIT_CONTROL, al
        xor   al, al
        out   PIT_CHANNEL0, al
        out   PIT_CHANNEL0, al

        mov   al, CHANNEL_2       ; counter latch: this moment ...
        out   PIT_CONTROL, al
        call  wait_200_clocks
        mov   al, CHANNEL_2       ; ... because a second latch is ignored until the first has been read
        out   PIT_CONTROL, al
        call  read_channel2
        mov   bx, ax              ; BX = count then
        call  latch_channel2      ; nothing is latched any more, so this takes the count of now
        sub   bx, ax              ; counts go down; modulo 65,536 a wrap is no harm
        cmp   bx, 200
        must  ae, "the latched count is the one of the first latch command"
        say   "latched count: stands still until it is read", 10

; 3. Read-back of status and count in one command, for two channels at once.
        mov   al, READ_BACK | OF_CHANNEL_2 | OF_CHANNEL_0
        out   PIT_CONTROL, al
        call  wait_200_clocks_status
        in    al, PIT_CHANNEL2
        and   al, 0x3f
        cmp   al, RW_BOTH | MODE_2
        must  e, "read-back: the first read is the status"
        call  read_channel2
        mov   bx, ax
        call  latch_channel2
        sub   bx, ax
        cmp   bx, 200
        must  ae, "read-back: the count is the one of the command"

        call  latch_channel2
        mov   si, ax              ; SI = count before
        mov   al, READ_BACK | NO_STATUS | OF_CHANNEL_2
        out   PIT_CONTROL, al
        call  read_channel2
        mov   bx, ax              ; BX = count of the command, without a status in front of it
        call  latch_channel2      ; AX = count after
        mov   cx, si
        sub   cx, bx              ; CX = clocks from before to the command
        sub   si, ax              ; SI = clocks from before to after
        cmp   cx, si
        must  be, "read-back: the count alone lies between the counts before and after"
        say   "read-back: status, low byte, high byte, in this order", 10

        in    al, PORT_61
        and   al, 0xfc
        out   PORT_61, al
        jmp   passed

; AX = the count of channel 2 now (latched), or the two bytes that it gives next.
latch_channel2:
        mov   al, CHANNEL_2
        out   PIT_CONTROL, al
read_channel2:
        in    al, PIT_CHANNEL2
        mov   ah, al
        in    al, PIT_CHANNEL2
        xchg  al, ah
        ret

; Waits until channel 0 has counted 200 clocks (168 us). Changes AX, CX, DX.
wait_200_clocks_status:           ; the same when a status and a count of channel 0 are latched: read them first
        in    al, PIT_CHANNEL0
        and   al, 0x3f
        cmp   al, RW_BOTH | MODE_2
        must  e, "read-back: the status of the other channel"
        call  read_channel0
wait_200_clocks:
        call  latch_channel0
        mov   cx, ax
.more:  call  latch_channel0
        mov   dx, cx
        sub   dx, ax
        cmp   dx, 200
        jb    .more
        ret
latch_channel0:
        mov   al, 0x00            ; counter latch command for channel 0
        out   PIT_CONTROL, al
read_channel0:
        in    al, PIT_CHANNEL0
        mov   ah, al
        in    al, PIT_CHANNEL0
        xchg  al, ah
        ret
