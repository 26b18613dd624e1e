; pm-timer.asm - two clocks that must agree: the ACPI power management timer and the 8254.
;
; The PM timer is a 24- or 32-bit counter that nobody can set or stop. It runs at 3,579,545 Hz, the colour carrier of NTSC
; television; the 8254 runs at a third of that, because the first PC divided one crystal for both. The port is in the
; ACPI tables (FADT, PM_TMR_BLK); on this board, as on QEMU's, it is 0x608.
; ACPI Specification, "Power Management Timer"; Intel 8254 data sheet, "Counter Latch Command".
;
; In the trace: 4-byte reads of port 0x608 (`size 4`) between latch commands, 0x00 to port 0x43, and pairs of reads
; of port 0x40.
;
; board:  pc
; expect: 2 ms of the 8254 are 2 ms of the PM timer
; expect: Test OK
; exit:   0

%include "guest.inc"

PM_TIMER     equ 0x608
PM_MASK      equ 0x00ffffff       ; 24 bits are certain
PIT_CHANNEL0 equ 0x40
PIT_CONTROL  equ 0x43
WINDOW       equ 2386             ; 8254 clocks: 2 ms

main:
        mov   al, 0x34            ; channel 0: both bytes, mode 2, count 65,536
        out   PIT_CONTROL, al
        xor   al, al
        out   PIT_CHANNEL0, al
        out   PIT_CHANNEL0, al

        call  read_pm_timer
        mov   ebx, eax            ; EBX = PM timer at the start
        call  latch_channel0
        mov   cx, ax              ; CX = 8254 at the start
.wait:  call  latch_channel0
        mov   si, cx
        sub   si, ax              ; SI = clocks that passed; channel 0 counts down
        cmp   si, WINDOW
        jb    .wait
        call  read_pm_timer
        sub   eax, ebx            ; counts up; the mask takes care of a wrap
        and   eax, PM_MASK

        movzx esi, si             ; three PM clocks are one 8254 clock, give or take an eighth
        lea   edx, [esi + esi * 2]
        mov   ecx, edx
        shr   ecx, 3
        sub   edx, ecx
        cmp   eax, edx
        must  ae, "the PM timer is not too slow"
        lea   edx, [edx + ecx * 2]
        cmp   eax, edx
        must  be, "the PM timer is not too fast"
        say   "2 ms of the 8254 are 2 ms of the PM timer", 10
        jmp   passed

read_pm_timer:
        mov   dx, PM_TIMER
        in    eax, dx
        and   eax, PM_MASK
        ret

latch_channel0:
        mov   al, 0x00
        out   PIT_CONTROL, al
        in    al, PIT_CHANNEL0
        mov   ah, al
        in    al, PIT_CHANNEL0
        xchg  al, ah
        ret
