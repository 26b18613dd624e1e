; com-hello.asm - a DOS .COM file without DOS.
;
; A .COM file has no header: it is loaded at offset 0x100 of a segment that begins with the program segment prefix
; (PSP), and starts with CS = DS = ES = SS = that segment, a stack at its end and a word of 0 on it. RET thus jumps to
; offset 0, where the PSP has the bytes CD 20: INT 20h, end of program. MS-DOS Programmer's Reference, "Program Segment
; Prefix".
;
; pio86 sets up just this: the PSP, INT 20h, which ends the machine with 0, and a few functions of INT 21h. There is no
; console behind them, so the text goes to the UART, as in hello.asm. A file named .com is known by its name; this one
; needs `--format com`.
;
; In the trace: the write to 0xF4 at the end is not this program's: it is what INT 20h does.
;
; format: com
; board:  kvm pc
; expect: Hello from a .COM file
; expect: Test OK
; exit:   0

bits 16
org 0x100

UART_THR equ 0x3f8
UART_LSR equ 0x3fd

        mov   ax, cs
        mov   dx, ds
        cmp   ax, dx
        jne   bad
        cmp   word [0], 0x20cd    ; INT 20h at the start of the PSP
        jne   bad
        mov   si, text
        call  print
        ret                       ; to offset 0 of the PSP
        ; Loaded as something else (`--format com` forgotten): addresses are wrong and there is no INT 20h, so only the
        ; exit port is left to say so.
bad:    mov   al, 1
        out   0xf4, al
.halt:  cli
        hlt
        jmp   .halt

; Prints the zero-terminated string at DS:SI. Changes AX, DX, SI.
print:  lodsb
        test  al, al
        jz    .end
        mov   ah, al
        mov   dx, UART_LSR
.wait:  in    al, dx
        test  al, 0x20            ; THR empty
        jz    .wait
        mov   al, ah
        mov   dx, UART_THR
        out   dx, al
        jmp   print
.end:   ret

text:   db "Hello from a .COM file", 10, "Test OK", 10, 0
