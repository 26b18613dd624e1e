; pit-irq.asm - five ticks of the system timer, counted by an interrupt handler. `pio86 demo` runs this guest.
;
; The chips: channel 0 of the 8254 timer (ports 0x40 and 0x43) counts 1,193,182 times a second. In mode 2, rate
; generator, its output falls for one clock each time the count is used up; that output is IRQ 0 of the 8259A interrupt
; controller (ports 0x20 and 0x21), which hands vector 0x20 to the CPU.
; Data sheets: Intel 8254, "Control Word Format" and "Mode 2: Rate Generator"; Intel 8259A, "Initialization Command
; Words" and "End of Interrupt".
;
; In the trace: four writes each to the two 8259As (ICW1 to ICW4), then 0x34 to port 0x43 and the count, low byte first,
; to port 0x40. After each HLT virtual time jumps to the next tick; the handler's write of 0x20 to port 0x20 is the EOI
; without which IRQ 0 would stay "in service" and no second tick could come.
;
; board:  kvm pc
; expect: tick 1
; expect: tick 2
; expect: tick 3
; expect: tick 4
; expect: tick 5
; expect: Test OK
; exit:   0

%include "guest.inc"
%include "pic.inc"

PIT_CHANNEL0 equ 0x40
PIT_CONTROL  equ 0x43
COUNT        equ 11932            ; 1,193,182 Hz / 11,932 = 100 Hz: a tick every 10 ms
TICKS        equ 5

main:
        call  remap_pics
        set_vector 0x20, on_tick

        mov   al, 0x34            ; channel 0, low byte then high byte, mode 2, binary
        out   PIT_CONTROL, al
        mov   al, COUNT & 0xff
        out   PIT_CHANNEL0, al
        mov   al, COUNT >> 8
        out   PIT_CHANNEL0, al    ; the second byte starts the count

        mov   al, 0xfe            ; OCW1: unmask IRQ 0, keep the others masked
        out   PIC1 + 1, al

        mov   bl, 1               ; the tick we wait for
.wait:  cli                       ; no tick may slip in between the test and the HLT:
        cmp   [ticks], bl
        jae   .ticked
        sti                       ; STI lets interrupts in only after the instruction that follows it,
        hlt                       ; so this one is reached before the tick that ends it
        jmp   .wait
.ticked:
        sti
        say   "tick "
        mov   al, '0'
        add   al, bl
        call  print_char
        say   10
        inc   bl
        cmp   bl, TICKS
        jbe   .wait

        cmp   byte [ticks], TICKS
        must  e, "a masked IRQ 0 does not come"
        jmp   passed

; IRQ 0. Interrupts are off here: the CPU cleared IF when it took the vector.
on_tick:
        push  ax
        inc   byte [ticks]
        cmp   byte [ticks], TICKS
        jb    .eoi
        mov   al, 0xff            ; enough: mask all
        out   PIC1 + 1, al
.eoi:   mov   al, PIC_EOI
        out   PIC1, al
        pop   ax
        iret

ticks:  db    0
