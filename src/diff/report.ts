/**
 * Differences, probes and summaries as text for people.
 */
import type { KvmRegs } from '../uapi/kvm.ts';
import type { FieldDifference } from './compare.ts';
import type { GuestDifference, GuestDiffResult } from './diff-guest.ts';
import type { RandomDifference, RandomDiffResult } from './diff-random.ts';
import type { HostProbe, ProbeAnswer } from './probe.ts';

const REGS: readonly (keyof KvmRegs)[] = [
  'eax',
  'ebx',
  'ecx',
  'edx',
  'esi',
  'edi',
  'esp',
  'ebp',
  'eip',
  'eflags',
];

function regsLine(name: string, regs: KvmRegs): string {
  const values = REGS.map((reg) => `${reg}=${regs[reg].toString(16).padStart(8, '0')}`);
  return `  ${name.padEnd(6)} ${values.slice(0, 5).join(' ')}\n         ${values.slice(5).join(' ')}`;
}

function fieldLines(fields: readonly FieldDifference[]): string[] {
  return fields.map(({ field, host, pio86 }) => `  ${field}: host ${host}, pio86 ${pio86}`);
}

function pathLines(paths: readonly string[]): string[] {
  return paths.length === 0
    ? []
    : ["  function path of pio86's latest accesses:", ...paths.map((path) => path.trimEnd())];
}

/** A guest's difference: what, where, both sides' registers and instruction, and the way through the functions. */
export function guestDifferenceText(difference: GuestDifference): string {
  return [
    `  first difference: ${difference.where}`,
    ...fieldLines(difference.fields),
    regsLine('host', difference.hostRegs),
    regsLine('pio86', difference.pio86Regs),
    `  at CS:EIP: host ${difference.hostInstruction}, pio86 ${difference.pio86Instruction}`,
    ...pathLines(difference.paths),
  ].join('\n');
}

/** A random program's difference, its code and how to see it again. */
export function randomDifferenceText(difference: RandomDifference): string {
  const { seed, program, mode, hasIrqchip, where } = difference;
  return [
    `program ${program} of seed ${seed} (${mode}${hasIrqchip ? ', in-kernel irqchip' : ''}) differs: ${where}`,
    ...fieldLines(difference.fields),
    regsLine('host', difference.hostRegs),
    regsLine('pio86', difference.pio86Regs),
    ...difference.listing.map((line) => `  ${line}`),
    ...pathLines(difference.paths),
    `  again: pio86 diff --random 1 --seed ${seed} --first ${program}`,
  ].join('\n');
}

const counted = (n: number, noun: string): string =>
  `${n.toLocaleString('en-US')} ${noun}${n === 1 ? '' : 's'}`;

function countsText(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([name, n]) => `${name} ${n}`).join(', ');
}

/** One line a guest, more below it for a difference. */
export function guestText(name: string, result: GuestDiffResult): string {
  const { status, reason, exits, orderOnlyExits, timeReason, masked, difference } = result;
  const order = orderOnlyExits > 0 ? `, ${counted(orderOnlyExits, 'exit')} by order only` : '';
  const what = `${counted(exits, 'exit')} in full${order}`;
  const lines = [`${name}: ${STATUS_TEXT[status]} (${reason}): ${what}`];
  if (timeReason !== null) lines.push(`  depends on the host's time: ${timeReason}`);
  if (masked.size > 0) lines.push(`  masked, not compared: ${[...masked.keys()].join('; ')}`);
  if (difference !== null) lines.push(guestDifferenceText(difference));
  return lines.join('\n');
}

const STATUS_TEXT = {
  same: 'no difference',
  different: 'DIFFERENT',
  cut: 'not comparable to its end, the host cannot run it',
  limit: 'stopped at a limit',
} as const;

/** What a run of random programs was. */
export function randomText(result: RandomDiffResult): string {
  const { seed, compared, exitsCompared, skipped, masked, byMode, difference } = result;
  const lines = [
    `seed ${seed}: ${counted(compared, 'program')} (${countsText(byMode)}), ${counted(exitsCompared, 'exit')} compared, ` +
      (difference === null ? 'no difference' : '1 difference'),
  ];
  if (skipped.size > 0) lines.push(`  skipped, the host cannot run them: ${countsText(skipped)}`);
  if (masked.size > 0) lines.push(`  masked, not compared: ${countsText(masked)}`);
  if (difference !== null) lines.push(randomDifferenceText(difference));
  return lines.join('\n');
}

function answerLines(answers: readonly ProbeAnswer[]): string[] {
  return answers.map(
    ({ name, mode, runs, reason }) =>
      `  ${runs ? 'yes' : 'no '}  ${name}${name === mode ? '' : `, ${mode}`}${reason === undefined ? '' : `: ${reason}`}`,
  );
}

/** What the host can do; of the instructions only those it cannot run, unless `all`. */
export function probeText(probe: HostProbe, all: boolean): string {
  const { repInCount, emulatesIo, paging, interrupts, modes, instructions } = probe;
  const missing = instructions.filter(({ runs }) => !runs);
  return [
    `IN and OUT: F3 EC with ECX = 5 leaves with count ${repInCount}: ${emulatesIo ? 'the emulator’s path (em_in, em_out)' : 'the fast path (kvm_fast_pio)'}`,
    `paging: ${paging ? 'yes' : 'no'}`,
    'modes:',
    ...answerLines(modes),
    'interrupts:',
    ...answerLines(interrupts),
    `instructions: ${instructions.length - missing.length} of ${instructions.length} run${missing.length > 0 && !all ? '; not' : ''}`,
    ...answerLines(all ? instructions : missing),
  ].join('\n');
}
