; serial-echo.asm - a line from stdin, by interrupts, in capitals.
;
; The chips: the UART raises IRQ 4 when a byte has arrived (interrupt enable register, bit 0) and takes it down when the
; receiver buffer is read. Between the bytes the CPU sleeps in HLT with interrupts on; on pio86, where time is virtual,
; a machine that sleeps with no timer set waits for stdin.
; Data sheets: National Semiconductor PC16550D, "Interrupt Enable Register"; Intel 8259A, "Edge and Level Triggered Modes".
;
; The handler reads until the line status register says that nothing is left. In edge-triggered mode that matters: a
; byte that arrived meanwhile makes no new edge while the line is still up.
;
; Try: echo hello | pio86 run examples/serial-echo.bin
; In the trace: reads of 0x3F8 are the bytes typed, writes to it the answer.
;
; board:  kvm pc
; stdin:  in al, 0x21
; expect: type a line
; expect: IN AL, 0X21
; expect: Test OK
; exit:   0

%include "guest.inc"
%include "pic.inc"

UART_RBR equ 0x3f8
UART_IER equ 0x3f9
UART_LCR equ 0x3fb
UART_MCR equ 0x3fc
LSR_DR   equ 0x01

main:
        call  remap_pics
        set_vector 0x24, on_irq4
        mov   dx, UART_LCR
        mov   al, 0x03            ; 8 bits, no parity, 1 stop bit
        out   dx, al
        say   "type a line", 10

        mov   dx, UART_MCR
        mov   al, 0x0b            ; DTR, RTS, and OUT2, which connects the chip to IRQ 4
        out   dx, al
        mov   dx, UART_IER
        mov   al, 0x01            ; received data available
        out   dx, al
        mov   al, 0xef            ; unmask IRQ 4
        out   PIC1 + 1, al

.wait:  cli
        cmp   byte [line_done], 0
        jne   .done
        sti
        hlt
        jmp   .wait
.done:  mov   dx, UART_IER
        mov   al, 0
        out   dx, al
        jmp   passed

on_irq4:
        push  ax
        push  dx
.more:  mov   dx, UART_LSR
        in    al, dx
        test  al, LSR_DR
        jz    .empty
        mov   dx, UART_RBR
        in    al, dx
        cmp   byte [line_done], 0
        jne   .more               ; what follows the line is not ours
        cmp   al, 10
        je    .end_of_line
        cmp   al, 'a'
        jb    .print
        cmp   al, 'z'
        ja    .print
        sub   al, 'a' - 'A'
        jmp   .print
.end_of_line:
        mov   byte [line_done], 1
.print: call  print_char
        jmp   .more
.empty: mov   al, PIC_EOI
        out   PIC1, al
        pop   dx
        pop   ax
        iret

line_done: db 0
