; Benchmark workloads as one 64 KiB ROM: maps at F0000 and below 4 GiB, real mode, reset vector at its end.
; nasm -f bin -DWORK=out_pic -DN=1000000 rom.asm -o out.rom
; Assembled images for two N each: bench/roms (scripts/assemble.ts). What one N is worth stands at each workload; a REP
; iteration counts as one instruction, set-up and end (fewer than 150 instructions) are left out.
; Ends with a write to 0xF4 (isa-debug-exit), then "Shutdown" to 0x8900 (Bochs), then hlt.
bits 16
org 0
%ifndef N
%define N 1000000
%endif
start:
  cli
  xor ax,ax
  mov ds,ax
  mov es,ax
  mov ss,ax
  mov sp,0x7000
  mov dx,0xE0          ; start marker
  out dx,al
%ifidn WORK,out_pic
  ; N accesses, taken by a device inside KVM (the mask of the master 8259A): 3 instructions each
  mov ecx,N
  mov dx,0x21
  mov al,0xff
  align 16
.l: out dx,al
  dec ecx
  jnz .l
%elifidn WORK,out_none
  ; N accesses that leave KVM: 3 instructions each
  mov ecx,N
  mov dx,0x80
  align 16
.l: out dx,al
  dec ecx
  jnz .l
%elifidn WORK,in_pit
  ; N accesses, reads of a counter that moves: 3 instructions each
  mov al,0x34          ; channel 0, low then high byte, mode 2
  out 0x43,al
  xor al,al
  out 0x40,al
  out 0x40,al          ; count 65536: a live count from here on
  mov ecx,N
  align 16
.l: in al,0x40
  dec ecx
  jnz .l
%elifidn WORK,outsb
  ; N elements (N a multiple of 1024) of REP OUTSB: N + 5 * N/1024 instructions
%if N % 1024
%error N must be a multiple of 1024
%endif
  mov ebx,N/1024
  cld
.l: mov si,0x1000
  mov cx,1024
  mov dx,0x80
  rep outsb
  dec ebx
  jnz .l
%elifidn WORK,insw
  ; N elements (N a multiple of 256) of REP INSW: N + 5 * N/256 instructions
%if N % 256
%error N must be a multiple of 256
%endif
  mov ebx,N/256
  cld
.l: mov di,0x1000
  mov cx,256
  mov dx,0x80
  rep insw
  dec ebx
  jnz .l
%elifidn WORK,crc
  ; bitwise CRC-32 over N bytes (a counter as data): 40.0 instructions a byte on average: use this same count for every engine
  mov ecx,N
  mov eax,-1
.b: xor al,cl
  mov bl,8
.k: shr eax,1
  jnc .z
  xor eax,0xEDB88320
.z: dec bl
  jnz .k
  dec ecx
  jnz .b
  mov [0x500],eax
%elifidn WORK,sieve
  ; sieve of 32 KiB bytes at 1000:0, N rounds of 342,536 instructions, 16,384 of them iterations of REP STOSW
  mov ebp,N
  mov ax,0x1000
  mov es,ax
  mov ds,ax
.r: xor di,di
  mov cx,0x4000
  xor ax,ax
  cld
  rep stosw
  mov bx,2
.o: cmp byte [bx],0
  jne .n
  mov si,bx
  add si,bx
  jc .n
  cmp si,0x8000
  jae .n
.m: mov byte [si],1
  add si,bx
  jc .n
  cmp si,0x8000
  jb .m
.n: inc bx
  cmp bx,0x100
  jb .o
  dec ebp
  jnz .r
%elifidn WORK,counter_var
  ; a counter variable in RAM, in the same 64 bytes as the loop that counts it: 3 instructions a round, N rounds
  mov si,counter_var_loop
  mov di,0x8000
  mov bp,counter_var_end-counter_var_loop
  call to_ram
  mov ecx,N
  call 0:0x8000
%elifidn WORK,page_cross
  ; a loop across a page boundary, its third instruction (6 bytes at 8FFC) on both pages: 5 instructions a round, N rounds
  mov si,page_cross_loop
  mov di,PAGE_CROSS_AT
  mov bp,page_cross_end-page_cross_loop
  call to_ram
  mov ecx,N
  xor eax,eax
  call 0:PAGE_CROSS_AT
  mov [0x500],eax
%elifidn WORK,self_patch
  ; a loop that adds an immediate and then patches it for the next round: 4 instructions a round, N rounds
  mov si,self_patch_loop
  mov di,0x8000
  mov bp,self_patch_end-self_patch_loop
  call to_ram
  mov ecx,N
  xor ebx,ebx
  call 0:0x8000
  mov [0x500],ebx
%else
%error unknown WORK
%endif
done:
  mov dx,0xF4
  mov al,0
  out dx,al
  mov cx,8
  mov si,msg
  mov dx,0x8900
  push cs
  pop ds
.s: lodsb
  out dx,al
  loop .s
  cli
.h: hlt
  jmp .h
msg db "Shutdown"

; Code that writes to itself or near itself cannot run from ROM: copies BP bytes from CS:SI to ES:DI. Changes AX, CX, SI, DI.
to_ram:
  cld
  mov cx,bp
.c: cs lodsb
  stosb
  loop .c
  ret

%ifidn WORK,counter_var
counter_var_loop:
  inc dword [0x8000+.v-counter_var_loop]
  dec ecx
  jnz counter_var_loop
  retf
.v dd 0
counter_var_end:
%elifidn WORK,page_cross
PAGE_CROSS_AT equ 0x8FFC-(page_cross_third-page_cross_loop)
page_cross_loop:
  add eax,ecx
  rol eax,1
page_cross_third:
  xor eax,0x12345678
  dec ecx
  jnz page_cross_loop
  retf
page_cross_end:
%elifidn WORK,self_patch
self_patch_loop:
  add ebx,strict dword 0
.behind:
  mov [0x8000+.behind-self_patch_loop-4],ecx   ; the last four bytes of the ADD: its immediate
  dec ecx
  jnz self_patch_loop
  retf
self_patch_end:
%endif
times 0xFFF0-($-$$) db 0xff
  jmp 0xF000:start
times 0x10000-($-$$) db 0
