; idt-exceptions.asm - what the CPU pushes: real-mode exceptions, one by one.
;
; In real mode vector v is a far address at v * 4 (the IVT, where IDTR points after reset). On an exception the CPU pushes
; FLAGS, CS and IP, clears IF and TF, and jumps; there is no error code. What IP is pushed depends on the kind:
;   a fault   IP of the instruction itself: it can be repaired and run again
;   a trap    IP of the next instruction: it has been done
; Intel SDM vol. 3A, "Interrupt and Exception Handling in Real-Address Mode"; vol. 3A, "Exception Classifications".
; (On an 8086 a divide error was a trap; since the 80286 it is a fault.)
;
; In the trace: almost nothing, and that is the point: the guest handles its exceptions itself, without an exit. The
; single step follows an OUT to port 0x21, a device inside KVM: first the access, then the trap. (If the same OUT went to
; user space by way of KVM's instruction emulator, KVM would lose the trap.)
;
; board:  kvm pc
; expect: #DE divide error: fault
; expect: #DB single step: trap, after the OUT
; expect: INT3: trap
; expect: INTO: trap
; expect: #UD undefined opcode: fault
; expect: #SS stack limit: fault
; expect: #GP segment limit: fault
; expect: INT 40h: trap
; expect: #BR bound range: fault
; expect: Test OK
; exit:   0

%include "guest.inc"

PIC1_DATA equ 0x21
TF        equ 0x0100

%macro handler 1
        set_vector %1, %%stub
        jmp   %%past
%%stub: mov   byte [vector], %1
        jmp   note
%%past:
%endmacro

; Where to go on after the exception that the next instructions raise.
%macro resume_at 1
        mov   byte [vector], 0xff
        mov   word [resume], %1
%endmacro

; Checks which vector came and with what IP.
%macro came 3
        cmp   byte [vector], %1
        must  e, %3, ": vector"
        cmp   word [pushed_ip], %2
        must  e, %3, ": pushed IP"
        cmp   word [pushed_cs], 0
        must  e, %3, ": pushed CS"
        cmp   sp, 0x1000
        must  e, %3, ": three words on the stack"
        say   %3, 10
%endmacro

main:
        handler 0
        handler 1
        handler 3
        handler 4
        handler 5
        handler 6
        handler 12
        handler 13
        handler 0x40

; #DE: a quotient that does not fit.
        resume_at .de_done
        mov   ax, 1
        mov   bl, 0
.de:    div   bl
        nop
.de_done:
        came  0, .de, "#DE divide error: fault"

; #DB: TF in FLAGS traps after the next instruction. POPF itself is not yet stepped.
        resume_at .db_done
        mov   al, 0xff
        pushf
        pop   cx
        or    cx, TF
        push  cx
        popf
        out   PIC1_DATA, al
.db:    nop
.db_done:
        came  1, .db, "#DB single step: trap, after the OUT"

        resume_at .bp_done
        int3
.bp:    nop
.bp_done:
        came  3, .bp, "INT3: trap"

; INTO: only with OF = 1.
        resume_at .of_done
        mov   al, 1
        add   al, al              ; OF = 0
        into
        cmp   byte [vector], 0xff
        must  e, "INTO does nothing with OF = 0"
        mov   al, 0x7f
        add   al, 1               ; OF = 1
        into
.of:    nop
.of_done:
        came  4, .of, "INTO: trap"

        resume_at .ud_done
.ud:    ud2
        nop
.ud_done:
        came  6, .ud, "#UD undefined opcode: fault"

; #SS and #GP: a word at offset 0xFFFF would end outside the segment. Through BP it is the stack segment's fault.
        resume_at .ss_done
        mov   bp, 0xffff
.ss:    mov   ax, [bp]
        nop
.ss_done:
        came  12, .ss, "#SS stack limit: fault"

        resume_at .gp_done
        mov   bx, 0xffff
.gp:    mov   ax, [bx]
        nop
.gp_done:
        came  13, .gp, "#GP segment limit: fault"

        resume_at .int_done
        int   0x40
.int:   nop
.int_done:
        came  0x40, .int, "INT 40h: trap"

; #BR: an index outside its two bounds. Last, because some KVM hosts cannot run BOUND.
        resume_at .br_done
        mov   ax, 10
        bound ax, [limits]        ; inside: nothing happens
        cmp   byte [vector], 0xff
        must  e, "BOUND does nothing inside the bounds"
        mov   ax, 11
.br:    bound ax, [limits]
        nop
.br_done:
        came  5, .br, "#BR bound range: fault"
        jmp   passed

; All vectors end up here: takes the frame off the stack and goes on at [resume].
note:   pop   word [pushed_ip]
        pop   word [pushed_cs]
        pop   word [pushed_flags]
        jmp   [resume]

limits:       dw -5, 10           ; lower and upper bound, both allowed
vector:       db 0xff
resume:       dw 0
pushed_ip:    dw 0
pushed_cs:    dw 0
pushed_flags: dw 0
