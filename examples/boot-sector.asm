; boot-sector.asm - 512 bytes that a PC BIOS would start.
;
; The BIOS reads the first sector of a disk to 0x7C00 and jumps there if its last two bytes are 55 AA. DL holds the
; number of the drive (0x00 first floppy, 0x80 first hard disk); nothing else is certain, not even CS: some BIOSes jump
; to 07C0:0000, some to 0000:7C00. So the first act is a far jump, then segments and a stack.
; BIOS Boot Specification, "BAID: Boot Handler"; IBM PC AT Technical Reference, "INT 19h Bootstrap Loader".
;
; pio86 knows a boot sector by its length and signature, loads it the same way and passes DL. It has no BIOS, so INT 10h
; is not there: the text goes to the UART, as in hello.asm.
;
; In the trace: the first instruction is at 0x7C00; afterwards only reads of 0x3FD and writes to 0x3F8.
;
; format: boot
; board:  kvm pc
; expect: booted from drive ??
; expect: Test OK
; exit:   0

bits 16
org 0x7c00

UART_THR  equ 0x3f8
UART_LSR  equ 0x3fd
EXIT_PORT equ 0xf4

        jmp   0x0000:start        ; CS = 0, whatever it was
start:  cli
        xor   ax, ax
        mov   ds, ax
        mov   es, ax
        mov   ss, ax
        mov   sp, 0x7c00          ; the stack grows down from this sector
        cld

        mov   bl, dl              ; the UART needs DX
        mov   si, text_drive
        call  print
        mov   al, bl
        shr   al, 4
        call  print_digit
        mov   al, bl
        and   al, 0x0f
        call  print_digit
        mov   si, text_end
        call  print

        mov   al, 0
        out   EXIT_PORT, al
halt:   cli
        hlt
        jmp   halt

; Prints the zero-terminated string at DS:SI. Changes AX, DX, SI.
print:  lodsb
        test  al, al
        jz    .end
        call  print_char
        jmp   print
.end:   ret

; Prints the hexadecimal digit AL (0 to 15). Changes AX, DX.
print_digit:
        add   al, '0'
        cmp   al, '9'
        jbe   print_char
        add   al, 'A' - '0' - 10

; Prints AL. Changes AX, DX.
print_char:
        mov   ah, al
        mov   dx, UART_LSR
.wait:  in    al, dx
        test  al, 0x20            ; THR empty
        jz    .wait
        mov   al, ah
        mov   dx, UART_THR
        out   dx, al
        ret

text_drive: db "booted from drive ", 0
text_end:   db 10, "Test OK", 10, 0

        times 510 - ($ - $$) db 0
        dw    0xaa55              ; the bytes 55 AA
