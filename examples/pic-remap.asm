; pic-remap.asm - the 8259A: remap, mask, request and service registers, and a spurious IRQ 7.
;
; The chip: the master 8259A interrupt controller at ports 0x20 and 0x21 (the slave, at 0xA0, is in pic-cascade.asm).
; After a PC BIOS its IRQ 0 to 7 arrive as vectors 8 to 15, which are also the CPU's exceptions: every protected-mode
; system moves them first. The PIT's channel 0 in mode 0 makes exactly one request here.
; Data sheet: Intel 8259A, "Initialization Command Words (ICWs)", "Operation Command Words (OCWs)", "Reading the 8259A
; Status" and, for the spurious interrupt, the last paragraph of "Interrupt Sequence".
;
; The life of a request, as this program sees it:
;   IRR bit 0 = 1              requested (even while masked)
;   IMR bit 0 = 0 and IF = 1   the CPU acknowledges it: IRR bit 0 = 0, ISR bit 0 = 1, vector 0x20
;   EOI                        ISR bit 0 = 0
; Spurious: the request vanishes after the INT line went up, before the CPU acknowledges. The chip must answer
; something: the vector of IRQ 7, with no ISR bit. A handler for IRQ 7 therefore looks at ISR bit 7 and sends no EOI.
;
; What differs: to make a request vanish this program writes ICW1, which clears the edge detection. KVM does not look
; at its INT line again then, so the CPU gets a spurious IRQ 7; other models take the line down and nothing comes.
; The program accepts both and says which it saw.
;
; In the trace: 0x11 to ports 0x20 and 0xA0 starts an initialization; the next writes to 0x21 and 0xA1 are ICW2 to
; ICW4, then writes there are masks again. 0x0A and 0x0B (OCW3) choose what a read of port 0x20 returns.
;
; board:  kvm pc
; expect: mask register keeps what is written
; expect: masked request: IRR 01, ISR 00
; expect: in service: IRR 00, ISR 01
; expect: after EOI: IRR 00, ISR 00
; expect: spurious IRQ 7, no bit in service
; expect: Test OK
; exit:   0

%include "guest.inc"

PIC1         equ 0x20
PIC2         equ 0xa0
OCW2_EOI     equ 0x20
OCW3_READ_IRR equ 0x0a
OCW3_READ_ISR equ 0x0b
POST_PORT    equ 0x80
PIT_CHANNEL0 equ 0x40
PIT_CONTROL  equ 0x43
FIRST_VECTOR equ 0x20

main:
        set_vector FIRST_VECTOR + 0, on_irq0
        set_vector FIRST_VECTOR + 7, on_irq7

        call  initialize
        mov   al, 0xa5
        out   PIC1 + 1, al
        mov   al, 0x5a
        out   PIC2 + 1, al
        in    al, PIC1 + 1
        cmp   al, 0xa5
        must  e, "master mask"
        in    al, PIC2 + 1
        cmp   al, 0x5a
        must  e, "slave mask"
        mov   al, 0xff
        out   PIC1 + 1, al
        out   PIC2 + 1, al
        say   "mask register keeps what is written", 10

; A request while it is masked.
        call  request_irq0
        call  wait_for_irr
        call  read_isr
        cmp   al, 0
        must  e, "a masked request is not in service"
        say   "masked request: IRR 01, ISR 00", 10

; Unmasked, with IF = 1 for a moment: the handler runs.
        mov   al, 0xfe
        out   PIC1 + 1, al
        call  let_interrupts_in
        cmp   byte [irq0_count], 1
        must  e, "IRQ 0 comes once when it is unmasked"
        cmp   byte [isr_seen], 0x01
        must  e, "ISR in the handler"
        cmp   byte [irr_seen], 0x00
        must  e, "IRR in the handler"
        say   "in service: IRR 00, ISR 01", 10
        call  read_isr
        cmp   al, 0
        must  e, "ISR after EOI"
        say   "after EOI: IRR 00, ISR 00", 10

; A request that vanishes before the CPU takes it.
        call  request_irq0
        call  wait_for_irr        ; unmasked, IF = 0: the INT line is up now
        call  initialize          ; ICW1 clears the request
        call  let_interrupts_in
        cmp   byte [irq0_count], 1
        must  e, "the request is gone"
        cmp   byte [irq7_count], 0
        je    .none
        cmp   byte [irq7_count], 1
        must  e, "one spurious IRQ 7"
        cmp   byte [isr_seen], 0x00
        must  e, "a spurious IRQ 7 is not in service"
        say   "spurious IRQ 7, no bit in service", 10
        jmp   passed
.none:  say   "no spurious IRQ 7: this chip took the INT line down", 10
        jmp   passed

; ICW1 to ICW4 for both chips. An initialization also clears the masks, so they are set anew at once.
initialize:
        mov   al, 0x11            ; ICW1: bit 4 = 1 says it is one; edge triggered, cascaded, ICW4 follows
        out   PIC1, al
        out   PIC2, al
        mov   al, FIRST_VECTOR    ; ICW2: bits 7:3 of the vector; the chip adds the IRQ number
        out   PIC1 + 1, al
        mov   al, FIRST_VECTOR + 8
        out   PIC2 + 1, al
        mov   al, 1 << 2          ; ICW3, master: a slave is on input 2
        out   PIC1 + 1, al
        mov   al, 2               ; ICW3, slave: its number
        out   PIC2 + 1, al
        mov   al, 0x01            ; ICW4: 8086 mode, normal EOI
        out   PIC1 + 1, al
        out   PIC2 + 1, al
        ret                       ; no OCW1 here: KVM would look at the INT line again

; Lets channel 0 of the PIT raise IRQ 0 once, 100 clocks (84 us) from now. Changes AL.
request_irq0:
        mov   al, 0x30            ; channel 0, both bytes, mode 0: interrupt on terminal count
        out   PIT_CONTROL, al
        mov   al, 100
        out   PIT_CHANNEL0, al
        xor   al, al
        out   PIT_CHANNEL0, al
        ret

; Waits until the request is there. Changes AL, CX.
wait_for_irr:
        xor   cx, cx
.again: call  read_irr
        test  al, 0x01
        loopz .again
        must  nz, "IRQ 0 is requested"
        ret

; A few instructions with IF = 1. Changes CX.
let_interrupts_in:
        mov   cx, 16
        sti
.loop:  out   POST_PORT, al       ; the old way to wait a microsecond
        loop  .loop
        cli
        ret

read_irr:
        mov   al, OCW3_READ_IRR
        out   PIC1, al
        in    al, PIC1
        ret
read_isr:
        mov   al, OCW3_READ_ISR
        out   PIC1, al
        in    al, PIC1
        ret

on_irq0:
        push  ax
        inc   byte [irq0_count]
        call  read_irr
        mov   [irr_seen], al
        call  read_isr
        mov   [isr_seen], al
        mov   al, OCW2_EOI
        out   PIC1, al
        pop   ax
        iret

on_irq7:
        push  ax
        inc   byte [irq7_count]
        call  read_isr
        mov   [isr_seen], al
        test  al, 0x80
        jz    .spurious           ; no bit to clear: an EOI would end someone else's interrupt
        mov   al, OCW2_EOI
        out   PIC1, al
.spurious:
        pop   ax
        iret

irq0_count: db 0
irq7_count: db 0
irr_seen:   db 0xff
isr_seen:   db 0xff
