/**
 * The operation table: every encoding that pio86 executes, one row an operation. The lowering, the list of
 * instructions in the docs and the generators of the fuzzer read it; what is not here is #UD.
 *
 * `forms` are the tails of iced's `Code` names: `rm16_r16` of row `Add` is `Code.Add_rm16_r16`.
 */
import * as f from './features.ts';
import { ALU_ADC, ALU_ADD, ALU_AND, ALU_CMP, ALU_OR, ALU_SBB, ALU_SUB, ALU_TEST, ALU_XOR, Op } from './op.ts';
import { CONDITION_NAMES } from './opcode-row.ts';

/** How lower.ts chooses the final operation from `op`. */
export const PICK_PLAIN = 0;
/** Register form: op + log2(size); memory source: AluLoad8 + …; memory destination: AluStore8 + …. */
export const PICK_ALU = 1;
/** As ALU with Load8 and Store8. */
export const PICK_MOV = 2;
/** Register form: op + log2(size); memory: `memOp` + log2(size). */
export const PICK_UNARY = 3;
/** op + (size === 4 ? 1 : 0). */
export const PICK_W = 4;
/** 32-bit register form of SHL, SHR, SAR has a hot case. */
export const PICK_SHIFT = 5;
/** Port I/O. */
export const PICK_IO = 6;
/** MOVZX from a byte has hot cases. */
export const PICK_MOVZX = 7;

/** One operation. */
export interface OpRow {
  /** Mnemonic as in iced's `Code` names, first part. */
  readonly name: string;
  /** Space-separated tails; an empty tail (`-`) is the bare name. */
  readonly forms: string;
  readonly op: number;
  readonly pick: number;
  /** `Insn.sub`. */
  readonly sub: number;
  /** FEATURE_* that a processor must have, or it is #UD; 0: every processor has it. */
  readonly feature: number;
}

const row = (name: string, forms: string, op: number, pick: number = PICK_PLAIN, sub = 0): OpRow => ({
  name,
  forms,
  op,
  pick,
  sub,
  feature: 0,
});

/** A row of instructions that came with a feature. */
const since = (feature: number, name: string, forms: string, op: number, sub = 0): OpRow => ({
  ...row(name, forms, op, PICK_PLAIN, sub),
  feature,
});

const RM_R = 'rm8_r8 rm16_r16 rm32_r32';
const ALU = `${RM_R} r8_rm8 r16_rm16 r32_rm32 AL_imm8 AX_imm16 EAX_imm32 rm8_imm8 rm16_imm16 rm32_imm32 rm8_imm8_82 rm16_imm8 rm32_imm8`;
const RM = 'rm8 rm16 rm32';
const SHIFT = 'rm8_imm8 rm16_imm8 rm32_imm8 rm8_1 rm16_1 rm32_1 rm8_CL rm16_CL rm32_CL';
const R_RM = 'r16_rm16 r32_rm32';
const FAR_PTR = 'r16_m1616 r32_m1632';
const BT = 'rm16_imm8 rm32_imm8';
const REL = 'rel8_16 rel8_32 rel16 rel32_32';
const LOOP = 'rel8_16_CX rel8_32_CX rel8_16_ECX rel8_32_ECX';
const SHLD = 'rm16_r16_imm8 rm32_r32_imm8 rm16_r16_CL rm32_r32_CL';
const SYS_RM = 'rm16 r32m16';

// biome-ignore format: one operation a line, columns aligned.
export const OP_TABLE: readonly OpRow[] = [
  row('Add',   ALU, Op.Add8, PICK_ALU, ALU_ADD),
  row('Or',    ALU, Op.Or8,  PICK_ALU, ALU_OR),
  row('Adc',   ALU, Op.Adc8, PICK_ALU, ALU_ADC),
  row('Sbb',   ALU, Op.Sbb8, PICK_ALU, ALU_SBB),
  row('And',   ALU, Op.And8, PICK_ALU, ALU_AND),
  row('Sub',   ALU, Op.Sub8, PICK_ALU, ALU_SUB),
  row('Xor',   ALU, Op.Xor8, PICK_ALU, ALU_XOR),
  row('Cmp',   ALU, Op.Cmp8, PICK_ALU, ALU_CMP),
  row('Test',  `${RM_R} AL_imm8 AX_imm16 EAX_imm32 rm8_imm8 rm8_imm8_F6r1 rm16_imm16 rm32_imm32 rm16_imm16_F7r1 rm32_imm32_F7r1`, Op.Test8, PICK_ALU, ALU_TEST),
  row('Mov',   `${RM_R} r8_rm8 r16_rm16 r32_rm32 AL_moffs8 AX_moffs16 EAX_moffs32 moffs8_AL moffs16_AX moffs32_EAX r8_imm8 r16_imm16 r32_imm32 rm8_imm8 rm16_imm16 rm32_imm32`, Op.Mov8, PICK_MOV),
  row('Inc',   `r16 r32 ${RM}`, Op.Inc8, PICK_UNARY),
  row('Dec',   `r16 r32 ${RM}`, Op.Dec8, PICK_UNARY),
  row('Neg',   RM, Op.Neg),
  row('Not',   RM, Op.Not),
  row('Mul',   RM, Op.Mul),
  row('Imul',  RM, Op.Imul),
  row('Imul',  `${R_RM} r16_rm16_imm16 r32_rm32_imm32 r16_rm16_imm8 r32_rm32_imm8`, Op.Imul2),
  row('Div',   RM, Op.Div),
  row('Idiv',  RM, Op.Idiv),
  since(f.FEATURE_ADX, 'Adcx',  'r32_rm32', Op.Adcx),
  since(f.FEATURE_ADX, 'Adox',  'r32_rm32', Op.Adox),
  row('Rol',   SHIFT, Op.Shift, PICK_PLAIN, 0),
  row('Ror',   SHIFT, Op.Shift, PICK_PLAIN, 1),
  row('Rcl',   SHIFT, Op.Shift, PICK_PLAIN, 2),
  row('Rcr',   SHIFT, Op.Shift, PICK_PLAIN, 3),
  row('Shl',   SHIFT, Op.Shift, PICK_SHIFT, 4),
  row('Shr',   SHIFT, Op.Shift, PICK_SHIFT, 5),
  row('Sal',   SHIFT, Op.Shift, PICK_SHIFT, 4),
  row('Sar',   SHIFT, Op.Shift, PICK_SHIFT, 7),
  row('Shld',  SHLD, Op.Shld),
  row('Shrd',  SHLD, Op.Shrd),
  row('Bt',    BT, Op.Bt, PICK_PLAIN, 0),
  row('Bts',   BT, Op.Bt, PICK_PLAIN, 1),
  row('Btr',   BT, Op.Bt, PICK_PLAIN, 2),
  row('Btc',   BT, Op.Bt, PICK_PLAIN, 3),
  row('Bt',    'rm16_r16 rm32_r32', Op.BtReg, PICK_PLAIN, 0),
  row('Bts',   'rm16_r16 rm32_r32', Op.BtReg, PICK_PLAIN, 1),
  row('Btr',   'rm16_r16 rm32_r32', Op.BtReg, PICK_PLAIN, 2),
  row('Btc',   'rm16_r16 rm32_r32', Op.BtReg, PICK_PLAIN, 3),
  row('Bsf',   R_RM, Op.Bsf),
  row('Bsr',   R_RM, Op.Bsr),
  since(f.FEATURE_POPCNT, 'Popcnt', R_RM, Op.Popcnt),
  since(f.FEATURE_LZCNT, 'Lzcnt', R_RM, Op.Lzcnt),
  since(f.FEATURE_BMI1, 'Tzcnt', R_RM, Op.Tzcnt),
  since(f.FEATURE_CRC32, 'Crc32', 'r32_rm8 r32_rm16 r32_rm32', Op.Crc32),
  since(f.FEATURE_BMI1, 'VEX_Andn', 'r32_r32_rm32', Op.Andn),
  since(f.FEATURE_BMI1, 'VEX_Bextr', 'r32_rm32_r32', Op.Bextr),
  since(f.FEATURE_BMI1, 'VEX_Blsr', 'r32_rm32', Op.Bls, 1),
  since(f.FEATURE_BMI1, 'VEX_Blsmsk', 'r32_rm32', Op.Bls, 2),
  since(f.FEATURE_BMI1, 'VEX_Blsi', 'r32_rm32', Op.Bls, 3),
  row('Daa',   '-', Op.Daa),
  row('Das',   '-', Op.Das),
  row('Aaa',   '-', Op.Aaa),
  row('Aas',   '-', Op.Aas),
  row('Aam',   'imm8', Op.Aam),
  row('Aad',   'imm8', Op.Aad),
  row('Mov',   'rm16_Sreg r32m16_Sreg', Op.MovFromSreg),
  row('Mov',   'Sreg_rm16 Sreg_r32m16', Op.MovToSreg),
  row('Xchg',  `${RM_R} r16_AX r32_EAX`, Op.Xchg),
  row('Movzx', 'r16_rm8 r32_rm8 r16_rm16 r32_rm16', Op.Movzx, PICK_MOVZX),
  row('Movsx', 'r16_rm8 r32_rm8 r16_rm16 r32_rm16', Op.Movsx),
  since(f.FEATURE_I486, 'Bswap', 'r16 r32', Op.Bswap),
  since(f.FEATURE_I486, 'Xadd',  RM_R, Op.Xadd),
  since(f.FEATURE_I486, 'Cmpxchg', RM_R, Op.Cmpxchg),
  since(f.FEATURE_CX8, 'Cmpxchg8b', 'm64', Op.Cmpxchg8b),
  since(f.FEATURE_MOVBE, 'Movbe', 'r16_m16 r32_m32 m16_r16 m32_r32', Op.Movbe),
  row('Cbw',   '-', Op.Cbw),
  row('Cwde',  '-', Op.Cwde),
  row('Cwd',   '-', Op.Cwd),
  row('Cdq',   '-', Op.Cdq),
  row('Xlat',  'm8', Op.Xlat),
  row('Lea',   'r16_m r32_m', Op.Lea16, PICK_W),
  row('Push',  'r16 r32', Op.Push16, PICK_W),
  row('Pop',   'r16 r32', Op.Pop16, PICK_W),
  row('Push',  'imm16', Op.PushImm),
  row('Pushw', 'imm8', Op.PushImm),
  row('Pushd', 'imm8 imm32', Op.PushImm),
  row('Push',  'rm16 rm32', Op.PushMem),
  row('Pop',   'rm16 rm32', Op.PopMem),
  row('Pushw', 'ES CS SS DS FS GS', Op.PushSreg),
  row('Pushd', 'ES CS SS DS FS GS', Op.PushSreg),
  row('Popw',  'ES SS DS FS GS', Op.PopSreg),
  row('Popd',  'ES SS DS FS GS', Op.PopSreg),
  row('Pushaw', '-', Op.Pusha),
  row('Pushad', '-', Op.Pusha),
  row('Popaw', '-', Op.Popa),
  row('Popad', '-', Op.Popa),
  row('Les',   FAR_PTR, Op.LoadFarPointer, PICK_PLAIN, 0),
  row('Lss',   FAR_PTR, Op.LoadFarPointer, PICK_PLAIN, 2),
  row('Lds',   FAR_PTR, Op.LoadFarPointer, PICK_PLAIN, 3),
  row('Lfs',   FAR_PTR, Op.LoadFarPointer, PICK_PLAIN, 4),
  row('Lgs',   FAR_PTR, Op.LoadFarPointer, PICK_PLAIN, 5),
  row('Clc',   '-', Op.Clc),
  row('Stc',   '-', Op.Stc),
  row('Cmc',   '-', Op.Cmc),
  row('Cld',   '-', Op.Cld),
  row('Std',   '-', Op.Std),
  row('Cli',   '-', Op.Cli),
  row('Sti',   '-', Op.Sti),
  row('Lahf',  '-', Op.Lahf),
  row('Sahf',  '-', Op.Sahf),
  row('Pushfw', '-', Op.Pushf),
  row('Pushfd', '-', Op.Pushf),
  row('Popfw', '-', Op.Popf),
  row('Popfd', '-', Op.Popf),
  row('Salc',  '-', Op.Salc),
  row('Jmp',   REL, Op.Jmp),
  row('Call',  'rel16 rel32_32', Op.Call),
  row('Retnw', '-', Op.Ret),
  row('Retnd', '-', Op.Ret),
  row('Retnw', 'imm16', Op.RetImm),
  row('Retnd', 'imm16', Op.RetImm),
  row('Jmp',   'rm16 rm32', Op.JmpIndirect),
  row('Call',  'rm16 rm32', Op.CallIndirect),
  row('Jmp',   'ptr1616 ptr1632', Op.JmpFar),
  row('Call',  'ptr1616 ptr1632', Op.CallFar),
  row('Jmp',   'm1616 m1632', Op.JmpFarMem),
  row('Call',  'm1616 m1632', Op.CallFarMem),
  row('Retfw', '- imm16', Op.Retf),
  row('Retfd', '- imm16', Op.Retf),
  row('Iretw', '-', Op.Iret),
  row('Iretd', '-', Op.Iret),
  row('Int',   'imm8', Op.Int),
  row('Int3',  '-', Op.Int3),
  row('Int1',  '-', Op.Int1),
  row('Into',  '-', Op.Into),
  row('Bound', 'r16_m1616 r32_m3232', Op.Bound),
  row('Loop',  LOOP, Op.Loop),
  row('Loope', LOOP, Op.Loope),
  row('Loopne', LOOP, Op.Loopne),
  row('Jcxz',  'rel8_16 rel8_32', Op.Jcxz),
  row('Jecxz', 'rel8_16 rel8_32', Op.Jcxz),
  row('Enterw', 'imm16_imm8', Op.Enter),
  row('Enterd', 'imm16_imm8', Op.Enter),
  row('Leavew', '-', Op.Leave),
  row('Leaved', '-', Op.Leave),
  row('Movsb', 'm8_m8', Op.Movs),
  row('Movsw', 'm16_m16', Op.Movs),
  row('Movsd', 'm32_m32', Op.Movs),
  row('Cmpsb', 'm8_m8', Op.Cmps),
  row('Cmpsw', 'm16_m16', Op.Cmps),
  row('Cmpsd', 'm32_m32', Op.Cmps),
  row('Stosb', 'm8_AL', Op.Stos),
  row('Stosw', 'm16_AX', Op.Stos),
  row('Stosd', 'm32_EAX', Op.Stos),
  row('Lodsb', 'AL_m8', Op.Lods),
  row('Lodsw', 'AX_m16', Op.Lods),
  row('Lodsd', 'EAX_m32', Op.Lods),
  row('Scasb', 'AL_m8', Op.Scas),
  row('Scasw', 'AX_m16', Op.Scas),
  row('Scasd', 'EAX_m32', Op.Scas),
  row('In',    'AL_imm8 AX_imm8 EAX_imm8 AL_DX AX_DX EAX_DX', Op.PortIo, PICK_IO),
  row('Out',   'imm8_AL imm8_AX imm8_EAX DX_AL DX_AX DX_EAX', Op.PortIo, PICK_IO),
  row('Insb',  'm8_DX', Op.PortIo, PICK_IO),
  row('Insw',  'm16_DX', Op.PortIo, PICK_IO),
  row('Insd',  'm32_DX', Op.PortIo, PICK_IO),
  row('Outsb', 'DX_m8', Op.PortIo, PICK_IO),
  row('Outsw', 'DX_m16', Op.PortIo, PICK_IO),
  row('Outsd', 'DX_m32', Op.PortIo, PICK_IO),
  row('Nopw',  '-', Op.Nop),
  row('Nopd',  '-', Op.Nop),
  row('Pause', '-', Op.Nop),
  since(f.FEATURE_NOPL, 'Reservednop', 'rm16_r16_0F0D rm32_r32_0F0D rm16_r16_0F18 rm32_r32_0F18 rm16_r16_0F19 rm32_r32_0F19 rm16_r16_0F1A rm32_r32_0F1A rm16_r16_0F1B rm32_r32_0F1B rm16_r16_0F1C rm32_r32_0F1C rm16_r16_0F1D rm32_r32_0F1D rm16_r16_0F1E rm32_r32_0F1E rm16_r16_0F1F rm32_r32_0F1F', Op.Nop),
  row('Hlt',   '-', Op.Hlt),
  since(f.FEATURE_CPUID, 'Cpuid', '-', Op.Cpuid),
  since(f.FEATURE_TSC, 'Rdtsc', '-', Op.Rdtsc),
  since(f.FEATURE_RDTSCP, 'Rdtscp', '-', Op.Rdtscp),
  since(f.FEATURE_MSR, 'Rdmsr', '-', Op.Rdmsr),
  since(f.FEATURE_MSR, 'Wrmsr', '-', Op.Wrmsr),
  since(f.FEATURE_RDPMC, 'Rdpmc', '-', Op.Rdpmc),
  row('Mov',   'r32_cr', Op.MovFromCr),
  row('Mov',   'cr_r32', Op.MovToCr),
  row('Mov',   'r32_dr', Op.MovFromDr),
  row('Mov',   'dr_r32', Op.MovToDr),
  row('Lgdt',  'm1632_16 m1632', Op.Lgdt),
  row('Lidt',  'm1632_16 m1632', Op.Lidt),
  row('Sgdt',  'm1632_16 m1632', Op.Sgdt),
  row('Sidt',  'm1632_16 m1632', Op.Sidt),
  row('Smsw',  SYS_RM, Op.Smsw),
  row('Lmsw',  SYS_RM, Op.Lmsw),
  row('Clts',  '-', Op.Clts),
  since(f.FEATURE_I486, 'Invd',  '-', Op.Invd),
  since(f.FEATURE_I486, 'Wbinvd', '-', Op.Invd),
  since(f.FEATURE_I486, 'Invlpg', 'm', Op.Invlpg),
  row('Sldt',  SYS_RM, Op.Sldt),
  row('Str',   SYS_RM, Op.Str),
  row('Lldt',  SYS_RM, Op.Lldt),
  row('Ltr',   SYS_RM, Op.Ltr),
  row('Verr',  SYS_RM, Op.Verr),
  row('Verw',  SYS_RM, Op.Verw),
  row('Lar',   'r16_rm16 r32_r32m16', Op.Lar),
  row('Lsl',   'r16_rm16 r32_r32m16', Op.Lsl),
  row('Arpl',  'rm16_r16 r32m16_r32', Op.Arpl),
  since(f.FEATURE_SEP, 'Sysenter', '-', Op.Sysenter),
  since(f.FEATURE_SEP, 'Sysexitd', '-', Op.Sysexit),
  row('Wait',  '-', Op.Wait),
  ...CONDITION_NAMES.map((cc, n) => row(`J${cc}`, REL, Op.Jo + n)),
  ...CONDITION_NAMES.map((cc, n) => row(`Set${cc}`, 'rm8', Op.Setcc, PICK_PLAIN, n)),
  ...CONDITION_NAMES.map((cc, n) => since(f.FEATURE_CMOV, `Cmov${cc}`, R_RM, Op.Cmov, n)),
];

/** Every `Code` name of a row. */
export function codeNames(r: OpRow): string[] {
  return r.forms.split(' ').map((form) => (form === '-' ? r.name : `${r.name}_${form}`));
}
