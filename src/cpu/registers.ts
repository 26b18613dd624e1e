/**
 * Register layout. Guest registers live in one Int32Array with 16-bit and 8-bit views over the same bytes
 * (typed arrays are little-endian on every host that Node supports), so an 8- or 16-bit write leaves the rest
 * of the register alone by itself.
 */
export const EAX = 0;
export const ECX = 1;
export const EDX = 2;
export const EBX = 3;
export const ESP = 4;
export const EBP = 5;
export const ESI = 6;
export const EDI = 7;
/** Slots in the register file: eight registers, the zero slot (8), padding. */
export const GPR_SLOTS = 16;

/** Indices into the 16-bit view. */
export const AX = 0;
export const CX = 2;
export const DX = 4;
export const BX = 6;
export const SP = 8;
export const BP = 10;
export const SI = 12;
export const DI = 14;

/** Byte indices into the 8-bit view. */
export const AL = 0;
export const AH = 1;
export const CL = 4;

/** Names in encoding order. */
export const GPR_NAMES = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'] as const;
export const SEG_NAMES = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'tr', 'ldtr'] as const;

/** EFLAGS bits. Intel SDM vol. 1, “EFLAGS Register”. */
export const X86_EFLAGS_CF = 1 << 0;
export const X86_EFLAGS_FIXED = 1 << 1;
export const X86_EFLAGS_PF = 1 << 2;
export const X86_EFLAGS_AF = 1 << 4;
export const X86_EFLAGS_ZF = 1 << 6;
export const X86_EFLAGS_SF = 1 << 7;
export const X86_EFLAGS_TF = 1 << 8;
export const X86_EFLAGS_IF = 1 << 9;
export const X86_EFLAGS_DF = 1 << 10;
export const X86_EFLAGS_OF = 1 << 11;
export const X86_EFLAGS_IOPL = 3 << 12;
export const X86_EFLAGS_NT = 1 << 14;
export const X86_EFLAGS_RF = 1 << 16;
export const X86_EFLAGS_VM = 1 << 17;
export const X86_EFLAGS_AC = 1 << 18;
export const X86_EFLAGS_VIF = 1 << 19;
export const X86_EFLAGS_VIP = 1 << 20;
export const X86_EFLAGS_ID = 1 << 21;
/** EFLAGS bits that exist: bits 3, 5, 15 and 31:22 do not. */
export const EFLAGS_MASK = 0x003f7fd7;
/** The six status flags. */
export const STATUS_FLAGS =
  X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | X86_EFLAGS_ZF | X86_EFLAGS_SF | X86_EFLAGS_OF;

/** CR0 bits. Intel SDM vol. 3A, “Control Registers”. */
export const X86_CR0_PE = 1 << 0;
export const X86_CR0_MP = 1 << 1;
export const X86_CR0_EM = 1 << 2;
export const X86_CR0_TS = 1 << 3;
export const X86_CR0_ET = 1 << 4;
export const X86_CR0_NE = 1 << 5;
export const X86_CR0_WP = 1 << 16;
export const X86_CR0_AM = 1 << 18;
export const X86_CR0_NW = 1 << 29;
export const X86_CR0_CD = 1 << 30;
export const X86_CR0_PG = 1 << 31;

/** CR4 bits. Intel SDM vol. 3A, “Control Registers”. */
export const X86_CR4_VME = 1 << 0;
export const X86_CR4_PVI = 1 << 1;
export const X86_CR4_TSD = 1 << 2;
/** DR4 and DR5 are #UD, R/W = 10B in DR7 is an I/O breakpoint. */
export const X86_CR4_DE = 1 << 3;
export const X86_CR4_PSE = 1 << 4;
export const X86_CR4_PAE = 1 << 5;
export const X86_CR4_MCE = 1 << 6;
export const X86_CR4_PGE = 1 << 7;
export const X86_CR4_PCE = 1 << 8;
export const X86_CR4_UMIP = 1 << 11;

/** IA32_EFER.NXE: execute-disable pages exist. */
export const EFER_NX = 1 << 11;

/** Exception vectors. Intel SDM vol. 3A, “Exception and Interrupt Vectors”. */
export const DE_VECTOR = 0;
export const DB_VECTOR = 1;
export const NMI_VECTOR = 2;
export const BP_VECTOR = 3;
export const OF_VECTOR = 4;
export const BR_VECTOR = 5;
export const UD_VECTOR = 6;
export const NM_VECTOR = 7;
export const DF_VECTOR = 8;
export const TS_VECTOR = 10;
export const NP_VECTOR = 11;
export const SS_VECTOR = 12;
export const GP_VECTOR = 13;
export const PF_VECTOR = 14;
export const MF_VECTOR = 16;
export const AC_VECTOR = 17;

/** Segment access rights as VMX keeps them. Intel SDM vol. 3C, “Format of Access Rights”. */
export const AR_TYPE_ACCESSED = 1 << 0;
export const AR_TYPE_WRITABLE = 1 << 1;
export const AR_TYPE_EXPAND_DOWN = 1 << 2;
/** The same bit of a code segment. */
export const AR_TYPE_CONFORMING = 1 << 2;
export const AR_TYPE_CODE = 1 << 3;
export const AR_S = 1 << 4;
export const AR_DPL_SHIFT = 5;
export const AR_P = 1 << 7;
export const AR_AVL = 1 << 12;
export const AR_L = 1 << 13;
export const AR_DB = 1 << 14;
export const AR_G = 1 << 15;
export const AR_UNUSABLE = 1 << 16;
/** Real-mode data segment: present, read/write, accessed. */
export const AR_REAL_DATA = AR_P | AR_S | AR_TYPE_WRITABLE | AR_TYPE_ACCESSED;
/** Real-mode code segment as KVM shows it (type 11). Writable in real mode all the same. */
export const AR_REAL_CODE = AR_REAL_DATA | AR_TYPE_CODE;
