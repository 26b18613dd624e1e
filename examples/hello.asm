; hello.asm - a line of text over the serial port, and nothing else.
;
; The chip: a 16550A UART at 0x3F8 (COM1). A byte written to its transmitter holding register (THR, offset 0) goes
; out on the line. Before that, bit 5 of the line status register (LSR, offset 5), "THR empty", must be 1.
; Data sheet: National Semiconductor PC16550D, "Line Status Register".
;
; In the trace: each character is a pair, a read of 0x3FD that returns 0x60 and a write to 0x3F8 with the letter.
; No device in the kernel owns these ports, so each access leaves KVM as KVM_EXIT_IO and is answered outside.
; The last access is the write to 0xF4, the port that ends the machine with the byte written.
;
; This example uses no include file: it is all here.
;
; board:  kvm pc
; expect: Hello from port 0x3F8!
; expect: Test OK
; exit:   0

bits 16
org 0x1000                        ; pio86 loads a raw binary here and starts it in real mode, CS = 0

THR  equ 0x3f8                    ; transmitter holding register
LSR  equ 0x3fd                    ; line status register
THRE equ 0x20                     ; LSR bit 5: THR empty
EXIT equ 0xf4

        cli
        cld
        xor   ax, ax
        mov   ds, ax              ; DS = 0: the labels below are offsets from address 0
        mov   si, text
next:   lodsb                     ; AL = next character
        test  al, al
        jz    done
        mov   ah, al
        mov   dx, LSR
wait_:  in    al, dx
        test  al, THRE
        jz    wait_
        mov   dx, THR
        mov   al, ah
        out   dx, al
        jmp   next

done:   mov   al, 0               ; 0: all is well
        out   EXIT, al
halt:   cli                       ; HLT with interrupts off never wakes: the end on a machine without port 0xF4
        hlt
        jmp   halt

text:   db    "Hello from port 0x3F8!", 10
        db    "Test OK", 10
        db    0
