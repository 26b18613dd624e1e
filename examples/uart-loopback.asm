; uart-loopback.asm - a 16550A that talks to itself, its FIFOs, and a line sent by interrupts.
;
; The chip: the 16550A UART at 0x3F8. With bit 4 of the modem control register (MCR) its transmitter is wired to its own
; receiver and the four modem outputs to the four modem inputs: a program can test the chip without a cable. Then IRQ 4:
; with "THR empty" interrupts enabled the chip asks for the next character itself.
; Data sheet: National Semiconductor PC16550D, "Modem Control Register", "FIFO Control Register", "Line Status Register",
; "Interrupt Identification Register".
; On the PC, output OUT2 of the chip connects its interrupt pin to IRQ 4; loopback disconnects it.
;
; In the trace: between the writes of 0x1A and 0x08 to port 0x3FC nothing that goes to 0x3F8 reaches the outside: the
; same bytes come back from port 0x3F8. Later each interrupt is a read of 0x3FA (0xC2: FIFOs on, THR empty), a write to
; 0x3F8 and an EOI to port 0x20.
;
; board:  kvm pc
; expect: scratch register and divisor latch
; expect: RTS comes back as CTS, OUT2 as DCD
; expect: 16 bytes through the FIFO
; expect: the 17th byte overruns
; expect: received data interrupt identified
; expect: sent by interrupts
; expect: Test OK
; exit:   0

%include "guest.inc"
%include "pic.inc"

UART     equ 0x3f8
RBR      equ UART + 0             ; receiver buffer (read)
THR      equ UART + 0             ; transmitter holding (write)
DLL      equ UART + 0             ; divisor latch, low and high byte (DLAB = 1)
DLM      equ UART + 1
IER      equ UART + 1             ; interrupt enable
IIR      equ UART + 2             ; interrupt identification (read)
FCR      equ UART + 2             ; FIFO control (write)
LCR      equ UART + 3             ; line control
MCR      equ UART + 4             ; modem control
LSR      equ UART + 5             ; line status
MSR      equ UART + 6             ; modem status
SCR      equ UART + 7             ; scratch

LCR_8N1  equ 0x03
LCR_DLAB equ 0x80
MCR_RTS  equ 0x02
MCR_OUT2 equ 0x08
MCR_LOOP equ 0x10
MSR_CTS  equ 0x10
MSR_DCD  equ 0x80
LSR_DR   equ 0x01                 ; data ready
LSR_OE   equ 0x02                 ; overrun error; reading LSR clears it
LSR_TEMT equ 0x40                 ; transmitter empty: FIFO and shift register
IER_RDA  equ 0x01                 ; received data available
IER_THRE equ 0x02                 ; transmitter holding register empty

%macro write 2
        mov   dx, %1
        mov   al, %2
        out   dx, al
%endmacro

main:
        call  remap_pics
        write IER, 0

; 1. Registers that only keep a byte. DLAB turns offsets 0 and 1 into the divisor latch.
        write SCR, 0xa6
        write LCR, LCR_8N1 | LCR_DLAB
        write DLL, 1              ; 115,200 baud
        write DLM, 0
        mov   dx, DLL
        in    al, dx
        mov   bl, al
        mov   dx, DLM
        in    al, dx
        mov   bh, al
        write LCR, LCR_8N1
        cmp   bx, 1
        must  e, "divisor latch"
        mov   dx, SCR
        in    al, dx
        cmp   al, 0xa6
        must  e, "scratch register"
        say   "scratch register and divisor latch", 10

; 2. Loopback: modem outputs and data. No text can leave meanwhile, so results are kept for later.
        call  wait_sent
        write MCR, MCR_LOOP | MCR_RTS | MCR_OUT2
        mov   dx, MSR
        in    al, dx
        mov   [modem], al
        write FCR, 0x07           ; FIFOs on and emptied, trigger level 1
        mov   cx, 16
        call  send_letters
        mov   di, received
        call  receive
        mov   [count_16], di

        mov   cx, 17
        call  send_letters
        mov   [status_17], bl
        mov   di, received_17
        call  receive
        mov   [count_17], di

        write IER, IER_RDA        ; the chip asks; masked at the 8259A, so nobody hears it
        mov   cx, 1
        call  send_letters
        mov   dx, IIR
        in    al, dx
        mov   [iir_full], al
        mov   dx, RBR
        in    al, dx
        mov   dx, IIR
        in    al, dx
        mov   [iir_empty], al
        write IER, 0
        write MCR, MCR_OUT2

        mov   al, [modem]
        and   al, 0xf0
        cmp   al, MSR_CTS | MSR_DCD
        must  e, "modem status in loopback"
        say   "RTS comes back as CTS, OUT2 as DCD", 10

        cmp   word [count_16], received + 16
        must  e, "16 bytes come back"
        mov   si, letters
        mov   di, received
        mov   cx, 16
        repe cmpsb
        must  e, "the same 16 bytes"
        say   "16 bytes through the FIFO", 10

        test  byte [status_17], LSR_OE
        must  nz, "overrun error"
        cmp   word [count_17], received_17 + 16
        must  e, "the FIFO holds 16"
        mov   si, letters
        mov   di, received_17
        mov   cx, 16
        repe cmpsb
        must  e, "an overrun leaves the FIFO alone"
        say   "the 17th byte overruns", 10

        cmp   byte [iir_full], 0xc4
        must  e, "IIR: FIFOs on, received data available"
        cmp   byte [iir_empty], 0xc1
        must  e, "IIR: FIFOs on, no interrupt"
        say   "received data interrupt identified", 10

; 3. IRQ 4: the handler sends a line, a character an interrupt.
        set_vector 0x24, on_irq4
        call  wait_sent
        mov   al, 0xef            ; unmask IRQ 4
        out   PIC1 + 1, al
        write IER, IER_THRE       ; THR is empty now: the first interrupt comes at once
.wait:  cli
        cmp   byte [sent_all], 0
        jne   .sent
        sti
        hlt
        jmp   .wait
.sent:  write IER, 0
        mov   al, 0xff
        out   PIC1 + 1, al
        cmp   word [interrupts], line_len + 1   ; one a character, and one that finds nothing left
        must  e, "one interrupt a character"
        jmp   passed

; Sends the first CX of `letters`, each when THR is empty, and waits until all have left. BL = the line status bits that
; were seen. Changes AX, CX, DX, SI.
send_letters:
        mov   si, letters
        xor   bl, bl
.next:  mov   dx, LSR
.full:  in    al, dx
        or    bl, al
        test  al, UART_LSR_THRE
        jz    .full
        lodsb
        mov   dx, THR
        out   dx, al
        loop  .next
wait_sent:
        mov   dx, LSR
.busy:  in    al, dx
        or    bl, al
        test  al, LSR_TEMT
        jz    .busy
        ret

; Reads bytes to DS:DI as long as the chip has any; DI = behind the last. Changes AX, DX.
receive:
        mov   dx, LSR
        in    al, dx
        test  al, LSR_DR
        jz    .end
        mov   dx, RBR
        in    al, dx
        mov   [di], al
        inc   di
        cmp   di, behind          ; a chip that is never empty must not fill the memory
        jb    receive
.end:   ret

on_irq4:
        push  ax
        push  dx
        push  si
        inc   word [interrupts]
        mov   dx, IIR
        in    al, dx              ; reading it takes a "THR empty" interrupt back
        and   al, 0x0f
        cmp   al, 0x02
        must  e, "IIR in the handler: THR empty"
        mov   si, [cursor]
        cmp   si, line + line_len
        je    .done
        mov   al, [si]
        inc   word [cursor]
        mov   dx, THR
        out   dx, al
        jmp   .eoi
.done:  mov   byte [sent_all], 1
.eoi:   mov   al, PIC_EOI
        out   PIC1, al
        pop   si
        pop   dx
        pop   ax
        iret

letters:     db "abcdefghijklmnopq"
line:        db "sent by interrupts", 10
line_len     equ $ - line
cursor:      dw line
interrupts:  dw 0
sent_all:    db 0
modem:       db 0
status_17:   db 0
iir_full:    db 0
iir_empty:   db 0
count_16:    dw 0
count_17:    dw 0
received:    times 20 db 0
received_17: times 20 db 0
behind:
