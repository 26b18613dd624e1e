; pic-cascade.asm - IRQ 8 through two interrupt controllers, and a spurious IRQ 15.
;
; The chips: the clock chip (MC146818 RTC, ports 0x70 and 0x71) interrupts 1024 times a second on IRQ 8. That is input 0
; of the slave 8259A (0xA0), whose INT output is input 2 of the master (0x20). Both have the request in service, so the
; handler sends two EOIs, slave first.
; Data sheets: Intel 8259A, "Cascade Mode" and "Interrupt Sequence"; Motorola MC146818, "Periodic Interrupt Selection".
;
; Spurious IRQ 15: the slave's request goes away after the master has latched it. The master still passes the
; acknowledge on to the slave, which has nothing, so it answers with its IRQ 7, vector 0x2F. Bit 2 of the master is in
; service, no bit of the slave: a handler for IRQ 15 looks at the slave's ISR and sends an EOI to the master alone.
;
; In the trace: each tick ends with 0x20 to port 0xA0, then 0x20 to port 0x20. The read of register C (0x0C to port
; 0x70, then a read of 0x71) is what lets the clock chip ask again.
;
; board:  pc
; expect: IRQ 8, 3 times, in service at both chips
; expect: spurious IRQ 15, in service at the master alone
; expect: Test OK
; exit:   0

%include "guest.inc"
%include "pic.inc"

OCW3_READ_IRR equ 0x0a
OCW3_READ_ISR equ 0x0b
POST_PORT    equ 0x80
RTC_INDEX    equ 0x70
RTC_DATA     equ 0x71
REG_A        equ 0x0a
REG_B        equ 0x0b
REG_C        equ 0x0c
REG_B_PIE    equ 0x40             ; periodic interrupt enable
TICKS        equ 3

%macro rtc_write 2
        mov   al, %1
        out   RTC_INDEX, al
        mov   al, %2
        out   RTC_DATA, al
%endmacro

main:
        call  remap_pics
        set_vector 0x28, on_irq8
        set_vector 0x2f, on_irq15

        rtc_write REG_A, 0x26     ; 32,768 Hz time base; rate 6: 1024 Hz
        rtc_write REG_B, 0x02 | REG_B_PIE ; 24-hour mode, BCD
        call  read_register_c     ; drop what was pending

        mov   al, 0xfb            ; master: all but input 2 masked
        out   PIC1 + 1, al
        mov   al, 0xfe            ; slave: all but IRQ 8 masked
        out   PIC2 + 1, al

.wait:  cli
        cmp   byte [irq8_count], TICKS
        jae   .enough
        sti
        hlt
        jmp   .wait
.enough:
        mov   al, 0xff
        out   PIC2 + 1, al        ; no more for now
        cmp   byte [irq8_count], TICKS
        must  e, "IRQ 8 came three times"
        cmp   byte [isr_master], 0x04
        must  e, "master ISR: input 2 in service"
        cmp   byte [isr_slave], 0x01
        must  e, "slave ISR: IRQ 8 in service"
        say   "IRQ 8, 3 times, in service at both chips", 10

; A request of the slave that goes away. IF = 0.
        mov   byte [isr_master], 0xff
        mov   byte [isr_slave], 0xff
        mov   al, 0xfe
        out   PIC2 + 1, al        ; IRQ 8 unmasked
        call  read_register_c
        xor   cx, cx
.ask:   mov   al, OCW3_READ_IRR
        out   PIC1, al
        in    al, PIC1
        test  al, 0x04
        loopz .ask
        must  nz, "master IRR: the slave asks"
        mov   al, 0xff
        out   PIC2 + 1, al        ; masked again: now the slave has nothing to say
        mov   cx, 16
        sti
.open:  out   POST_PORT, al       ; a few instructions with IF = 1
        loop  .open
        cli
        cmp   byte [irq8_count], TICKS
        must  e, "the masked IRQ 8 did not come"
        cmp   byte [irq15_count], 1
        must  e, "one spurious IRQ 15"
        cmp   byte [isr_master], 0x04
        must  e, "spurious IRQ 15: master ISR"
        cmp   byte [isr_slave], 0x00
        must  e, "spurious IRQ 15: slave ISR"
        say   "spurious IRQ 15, in service at the master alone", 10

        rtc_write REG_B, 0x02     ; periodic interrupt off
        call  read_register_c
        jmp   passed

; Reading register C clears it and takes IRQ 8 down. Changes AL.
read_register_c:
        mov   al, REG_C
        out   RTC_INDEX, al
        in    al, RTC_DATA
        ret

; The in-service registers of both chips, for the checks. Changes AL.
record_isr:
        mov   al, OCW3_READ_ISR
        out   PIC1, al
        out   PIC2, al
        in    al, PIC1
        mov   [isr_master], al
        in    al, PIC2
        mov   [isr_slave], al
        ret

on_irq8:
        push  ax
        inc   byte [irq8_count]
        call  record_isr
        call  read_register_c
        mov   al, PIC_EOI
        out   PIC2, al
        out   PIC1, al
        pop   ax
        iret

on_irq15:
        push  ax
        inc   byte [irq15_count]
        call  record_isr
        mov   al, PIC_EOI
        test  byte [isr_slave], 0x80
        jz    .spurious
        out   PIC2, al
.spurious:
        out   PIC1, al            ; the master does have its input 2 in service
        pop   ax
        iret

irq8_count:  db 0
irq15_count: db 0
isr_master:  db 0xff
isr_slave:   db 0xff
