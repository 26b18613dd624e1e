; More workloads for the same emulators as rom.asm, as ROMs of the same shape: mixes of ordinary code in flat 32-bit
; protected mode, the same work with paging on, virtual-8086 mode, and REP OUTSB and REP INSW by batch size.
; nasm -f bin -DWORK=alu -DN=1000000 mixes.asm -o out.rom
; Ends as rom.asm does. RAM: 16 MiB. What one N is stands at each workload.
bits 16
org 0
%ifndef N
%define N 1000000
%endif
%define LINEAR(label) (0xF0000+(label))
GDT_AT equ 0x600
TSS_AT equ 0x20000
PAGE_DIRECTORY equ 0x22000
PAGE_TABLE equ 0x23000
CODE32 equ 0x08
DATA32 equ 0x10
TSS32 equ 0x18

%define FLAT 0
%define PAGED 0
%define V86 0
%define BATCH 0
%ifidn WORK,alu
%define FLAT 1
%elifidn WORK,memory
%define FLAT 1
%elifidn WORK,calls
%define FLAT 1
%elifidn WORK,strings
%define FLAT 1
%elifidn WORK,flat_crc
%define FLAT 1
%elifidn WORK,flat_crc_pg
%define FLAT 1
%define PAGED 1
%elifidn WORK,flat_sieve
%define FLAT 1
%elifidn WORK,flat_sieve_pg
%define FLAT 1
%define PAGED 1
%elifidn WORK,flat_walk
%define FLAT 1
%elifidn WORK,flat_walk_pg
%define FLAT 1
%define PAGED 1
%elifidn WORK,v86_crc
%define V86 1
%elifidn WORK,v86_out
%define V86 1
%elifidn WORK,outsb_1
%define BATCH 1
%elifidn WORK,outsb_16
%define BATCH 16
%elifidn WORK,outsb_128
%define BATCH 128
%elifidn WORK,outsb_8192
%define BATCH 8192
%elifidn WORK,insw_1
%define BATCH 1
%elifidn WORK,insw_16
%define BATCH 16
%elifidn WORK,insw_8192
%define BATCH 8192
%else
%error unknown WORK
%endif

start:
  cli
  xor ax,ax
  mov ds,ax
  mov es,ax
  mov ss,ax
  mov sp,0x7000
  mov al,2
  out 0x92,al          ; A20, where it has a gate
  mov dx,0xE0          ; start marker
  out dx,al
%if FLAT || V86
  ; the GDT in RAM: LTR writes to it
  cld
  mov si,gdt
  mov di,GDT_AT
  mov cx,gdt_end-gdt
.g: cs lodsb
  stosb
  loop .g
  o32 lgdt [cs:gdt_pointer]
  mov eax,cr0
  or al,1
  mov cr0,eax
  jmp dword CODE32:LINEAR(flat)

bits 32
flat:
  mov ax,DATA32
  mov ds,ax
  mov es,ax
  mov ss,ax
  mov fs,ax            ; no real-mode segment is left: a KVM that cannot run such a state emulates it
  mov gs,ax
  mov esp,0x7000
%endif

%if PAGED
  ; the first 4 MiB as they are
  mov edi,PAGE_TABLE
  mov eax,7
  mov ecx,1024
.pt: stosd
  add eax,0x1000
  dec ecx
  jnz .pt
  mov dword [PAGE_DIRECTORY],PAGE_TABLE+7
  mov eax,PAGE_DIRECTORY
  mov cr3,eax
  mov eax,cr0
  or eax,0x80000000
  mov cr0,eax
  jmp .on
.on:
%endif

%if V86
  ; a TSS whose I/O bitmap lets every port through
  mov edi,TSS_AT
  xor eax,eax
  mov ecx,(104+8192)/4
  rep stosd
  mov byte [TSS_AT+104+8192],0xff
  mov dword [TSS_AT+4],0x7000
  mov dword [TSS_AT+8],DATA32
  mov word [TSS_AT+102],104
  mov ax,TSS32
  ltr ax
  push dword 0         ; GS FS DS ES SS ESP EFLAGS CS EIP
  push dword 0
  push dword 0
  push dword 0
  push dword 0
  push dword 0x6000
  push dword 0x23002   ; VM, IOPL 3
  push dword 0xF000
  push dword virtual
  iretd
bits 16
virtual:
%endif

%ifidn WORK,alu
  ; N rounds of 18 instructions between registers
  mov ecx,N
  align 16
.l: add eax,ecx
  mov ebx,eax
  shl ebx,5
  xor eax,ebx
  lea esi,[eax+ebx*2+7]
  ror esi,11
  sub edi,esi
  adc edx,0
  imul ebx,esi,0x9E3779B1
  or edi,ebx
  movzx ebp,al
  add edx,ebp
  neg ebp
  test edx,0x10000
  setnz bl
  not esi
  dec ecx
  jnz .l
%elifidn WORK,memory
  ; N rounds of 15 instructions, 9 of them loads, stores or both, spread over 48 KiB
  mov ecx,N
  align 16
.l: imul eax,ecx,0x9E3779B1
  shr eax,20
  mov ebx,[0x40000+eax*4]
  add [0x40000+eax*4],ecx
  movzx edx,byte [0x40001+eax*4]
  mov [0x50000+eax*2],dx
  xor dl,[0x40002+eax*4]
  mov [0x60000+eax],dl
  add ebx,edx
  xchg ebx,[0x44000+eax*4]
  push ebx
  pop esi
  add edi,esi
  dec ecx
  jnz .l
%elifidn WORK,calls
  ; N times the 12th Fibonacci number by recursion: 465 calls
  mov esi,N
.l: push dword 12
  call fib
  add esp,4
  dec esi
  jnz .l
%elifidn WORK,strings
  ; N rounds of 10,240 elements: 1,024 MOVSD, 4,096 STOSB, 4,096 SCASB, 1,024 CMPSD
  mov ebx,N
  cld
.l: mov esi,0x30000
  mov edi,0x40000
  mov ecx,1024
  rep movsd
  mov edi,0x40000
  mov ecx,4096
  xor eax,eax
  rep stosb
  mov edi,0x40000
  mov ecx,4096
  inc eax
  repne scasb
  mov esi,0x30000
  mov edi,0x40000
  mov ecx,1024
  repe cmpsd
  dec ebx
  jnz .l
%elifidn WORK,flat_crc
  %define CRC 1
%elifidn WORK,flat_crc_pg
  %define CRC 1
%elifidn WORK,v86_crc
  %define CRC 1
%elifidn WORK,flat_sieve
  %define SIEVE 1
%elifidn WORK,flat_sieve_pg
  %define SIEVE 1
%elifidn WORK,flat_walk
  %define WALK 1
%elifidn WORK,flat_walk_pg
  %define WALK 1
%elifidn WORK,v86_out
  ; N accesses, each with a look into the TSS: 3 instructions each
  mov ecx,N
  mov dx,0x21
  mov al,0xff
  align 16
.l: out dx,al
  dec ecx
  jnz .l
%else
  ; N elements of REP OUTSB or REP INSW, BATCH of them an instruction: 4 instructions and the elements each time
%if N % BATCH
%error N must be a multiple of BATCH
%endif
  mov ebx,N/BATCH
  mov dx,0x80
  cld
.l: mov si,0x2000
  mov di,0x2000
  mov cx,BATCH
%ifidn WORK,insw_1
  rep insw
%elifidn WORK,insw_16
  rep insw
%elifidn WORK,insw_8192
  rep insw
%else
  rep outsb
%endif
  dec ebx
  jnz .l
%endif

%ifdef CRC
  ; bitwise CRC-32 over N bytes, as in rom.asm: 40.0 instructions a byte on average
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
%elifdef SIEVE
  ; sieve of 32 KiB bytes, N rounds
  mov ebp,N
.r: mov edi,0x30000
  mov ecx,0x2000
  xor eax,eax
  cld
  rep stosd
  mov ebx,2
.o: cmp byte [0x30000+ebx],0
  jne .n
  lea esi,[ebx+ebx]
.m: mov byte [0x30000+esi],1
  add esi,ebx
  cmp esi,0x8000
  jb .m
.n: inc ebx
  cmp ebx,0x100
  jb .o
  dec ebp
  jnz .r
%elifdef WALK
  ; N rounds over 512 pages, a load and a store in each: 2,564 instructions a round
  mov ecx,N
.r: mov esi,0x100000
  mov ebx,512
.p: add eax,[esi]
  mov [esi+64],eax
  add esi,0x1000
  dec ebx
  jnz .p
  dec ecx
  jnz .r
%endif

  ; the end of rom.asm, good for 16 and 32 bits
done:
  mov dx,0xF4
  mov al,0
  out dx,al
  mov dx,0x8900
%assign i 0
%rep 8
%substr letter 'Shutdown' i+1
  mov al,letter
  out dx,al
%assign i i+1
%endrep
  cli
.h: hlt
  jmp .h

%ifidn WORK,calls
fib:
  push ebp
  mov ebp,esp
  push ebx
  mov eax,[ebp+8]
  cmp eax,2
  jb .leaf
  dec eax
  push eax
  call fib
  mov ebx,eax
  mov eax,[ebp+8]
  sub eax,2
  push eax
  call fib
  add eax,ebx
  add esp,8
.leaf:
  pop ebx
  pop ebp
  ret
%endif

%if FLAT || V86
  align 8
gdt:
  dq 0
  dq 0x00CF9B000000FFFF              ; code, accessed
  dq 0x00CF93000000FFFF              ; data, accessed
  dw 104+8192, TSS_AT & 0xffff       ; TSS, 32-bit, available
  db TSS_AT >> 16, 0x89, 0, 0
gdt_end:
gdt_pointer:
  dw gdt_end-gdt-1
  dd GDT_AT
%endif
bits 16
times 0xFFF0-($-$$) db 0xff
  jmp 0xF000:start
times 0x10000-($-$$) db 0
