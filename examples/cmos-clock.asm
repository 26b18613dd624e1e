; cmos-clock.asm - date and time from the battery-backed clock.
;
; The chip: the MC146818 real-time clock. An index goes to port 0x70 (bit 7 of that port also masks NMI), the register
; is then read at port 0x71. Once a second the chip updates all fields, and a program that reads meanwhile could see
; 10:59:59 turn into 10:00:00. Two guards: wait until bit 7 of register A, UIP (update in progress), is 0, which leaves
; at least 244 us; and read everything twice until both agree. Data sheet: Motorola MC146818, "Update Cycle".
; Register B says how to read the fields: bit 1 = 24-hour mode, bit 2 = binary instead of BCD.
;
; In the trace: pairs of a write to port 0x70 and a read of port 0x71. BCD is easy to read there: 0x59 is 59.
; pio86 starts this clock at a fixed date (`--rtc` changes it) and counts virtual time, so every run is the same.
;
; board:  pc
; expect: 2026-01-01 00:00:00
; expect: Test OK
; exit:   0

%include "guest.inc"

RTC_INDEX equ 0x70
RTC_DATA  equ 0x71
SECONDS   equ 0x00
MINUTES   equ 0x02
HOURS     equ 0x04
DAY       equ 0x07
MONTH     equ 0x08
YEAR      equ 0x09
REG_A     equ 0x0a
REG_B     equ 0x0b
UIP       equ 0x80
REG_B_24H equ 0x02
REG_B_BIN equ 0x04
FIELDS    equ 6

main:
        mov   al, REG_B           ; BCD and 24-hour mode, as a PC BIOS sets it
        call  rtc_read
        and   al, ~REG_B_BIN & 0xff
        or    al, REG_B_24H
        mov   ah, al
        mov   al, REG_B
        out   RTC_INDEX, al
        mov   al, ah
        out   RTC_DATA, al

        mov   bp, 100             ; more than two tries means a clock that runs away
.again: dec   bp
        must  nz, "two readings agree"
        mov   di, first
        call  read_clock
        mov   di, second
        call  read_clock
        mov   si, first
        mov   di, second
        mov   cx, FIELDS
        repe cmpsb
        jne   .again

        mov   si, first           ; every field: two decimal digits, inside its range
        mov   di, ranges
        mov   cx, FIELDS
.field: lodsb
        mov   ah, al
        and   ah, 0x0f
        cmp   ah, 9
        must  be, "a BCD digit is 0 to 9"
        cmp   al, [di]
        must  ae, "a field is not below its range"
        cmp   al, [di + 1]
        must  be, "a field is not above its range"
        add   di, 2
        loop  .field

        say   "20"                ; the chip has two digits of the year
        mov   si, first
        mov   di, separators
        mov   cx, FIELDS
.print: lodsb
        call  print_bcd
        mov   al, [di]
        inc   di
        call  print_char
        loop  .print
        jmp   passed

; Six fields to ES:DI, largest first, outside an update. Changes AX, BX, CX, SI, DI.
read_clock:
        xor   cx, cx
.busy:  mov   al, REG_A
        call  rtc_read
        test  al, UIP
        loopnz .busy
        must  z, "an update ends"
        mov   si, registers
        mov   cx, FIELDS
.next:  lodsb
        call  rtc_read
        stosb
        loop  .next
        ret

; AL = register AL of the clock.
rtc_read:
        out   RTC_INDEX, al
        in    al, RTC_DATA
        ret

; Prints AL, two BCD digits. Changes AX.
print_bcd:
        mov   ah, al
        shr   al, 4
        add   al, '0'
        call  print_char
        mov   al, ah
        and   al, 0x0f
        add   al, '0'
        jmp   print_char

registers:  db YEAR, MONTH, DAY, HOURS, MINUTES, SECONDS
ranges:     db 0x00, 0x99,  0x01, 0x12,  0x01, 0x31,  0x00, 0x23,  0x00, 0x59,  0x00, 0x59
separators: db "-- ::", 10
first:      times FIELDS db 0
second:     times FIELDS db 0
