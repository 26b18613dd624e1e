/** `pio86 run`: runs a guest. */
import { usageError } from '../cli-error.ts';
import { type CommandSpec, collect } from '../command.ts';
import { CPU_OPTION } from '../cpu-option.ts';
import { JIT_OPTION } from '../jit-option.ts';
import { parseAddress, parseCount, parsePorts, parseSize } from '../numbers.ts';
import {
  parseDevice,
  parseLoad,
  parseReg,
  parseRtc,
  parseSerial,
  parseTimeout,
  type RunOptions,
} from '../run/run-options.ts';

const MAX_IPS = 10_000_000_000;
const MIN_MEMORY = 0x10000;
const MAX_MEMORY = 0xc000_0000;

export const runCommand: CommandSpec<RunOptions> = {
  name: 'run',
  summary: 'run a guest program',
  description:
    'Runs a guest, from real mode unless --mode or its format says otherwise. Its serial port and debug consoles are standard output (with ' +
    '--json: standard error), everything pio86 says itself is standard error.',
  examples: [
    'pio86 run examples/hello.bin',
    'pio86 run --trace examples/pit-irq.bin',
    'pio86 run --trace=kvm_pio,kvm_*irq --trace-file t.txt examples/pit-irq.bin',
    'pio86 run --load data.bin@0x2000 --reg si=0x2000 --max-insns 10M guest.asm',
    'pio86 run --json --serial none examples/hello.bin',
    'pio86 run --mode prot32 flat.asm',
    'pio86 run --cpu 486 examples/hello.bin',
    'pio86 run --jit verify examples/pit-irq.bin',
    'pio86 run --engine kvm --timeout 5 examples/pit-irq.bin',
    'nasm -f bin hi.asm -o /dev/stdout | pio86 run -',
  ],
  arguments: [{ name: '[file]', description: "program: binary, ROM, boot sector, .com, .asm (nasm) or '-'" }],
  options: [
    {
      flags: '--format <format>',
      description:
        'what FILE is; auto tells by name and content: .com, Multiboot, BIOS ROM, boot sector, else raw at 0x1000',
      choices: ['auto', 'raw', 'boot', 'bios', 'com', 'multiboot'],
      default: 'auto',
    },
    { flags: '--append <text>', description: 'command line of a Multiboot image, behind its name' },
    {
      flags: '--load <file@addr>',
      description:
        'load raw bytes at an address, SEG:OFF or linear (repeatable); without FILE the first is entered',
      parse: collect(parseLoad),
    },
    {
      flags: '--entry <addr>',
      description: 'start at SEG:OFF (hex) or a linear address',
      parse: (text) => parseAddress('--entry', text),
    },
    {
      flags: '--mode <mode>',
      description:
        'processor mode at the start of a raw binary: real, or flat protected mode with a GDT, an empty IDT and a TSS',
      choices: ['real', 'prot16', 'prot32'],
      default: 'real',
    },
    {
      flags: '--reg <name=value>',
      description: 'set a register before the start (repeatable)',
      parse: collect(parseReg),
    },
    {
      flags: '--engine <engine>',
      description:
        "pio86: this emulator; kvm: the host's /dev/kvm (Linux, needs the optional package koffi; " +
        'no instruction counts, traces or virtual time there)',
      choices: ['pio86', 'kvm'],
      default: 'pio86',
    },
    {
      flags: '--board <board>',
      description:
        "kvm: the kernel's PIC and PIT, UART, debug consoles, exit port; pc: also CMOS, keyboard controller, …",
      choices: ['kvm', 'pc'],
      default: 'pc',
    },
    {
      flags: '--device <name>',
      description: "add a device (repeatable): pc-testdev, kvm-unit-tests' test device with fw_cfg (0x510)",
      parse: collect(parseDevice),
    },
    CPU_OPTION,
    JIT_OPTION,
    {
      flags: '--memory <size>',
      description: 'RAM from address 0: 64K to 3G',
      default: 16 * 1024 * 1024,
      defaultText: '16M',
      parse: (text) => parseMemory(text),
    },
    {
      flags: '--max-insns <n>',
      description:
        'end (exit code 5) after n instructions; a REP iteration counts as one, a batch of REP INS is not split',
      parse: (text) => parseCount('--max-insns', text, 1, Number.MAX_SAFE_INTEGER),
    },
    {
      flags: '--timeout <seconds>',
      description: 'end (exit code 5) after so many seconds of the host',
      parse: (text) => parseTimeout(text),
    },
    {
      flags: '--serial <where>',
      description: 'the UART: stdio, none or file:PATH (output only)',
      default: { kind: 'stdio' },
      defaultText: 'stdio',
      parse: (text) => parseSerial(text),
    },
    {
      flags: '--clock <clock>',
      description: 'virtual: as fast as it goes; wall: guest time follows host time',
      choices: ['virtual', 'wall'],
      default: 'virtual',
    },
    {
      flags: '--ips <n>',
      description: 'instructions a second of virtual time',
      default: 100_000_000,
      defaultText: '100M',
      parse: (text) => parseCount('--ips', text, 1, MAX_IPS),
    },
    {
      flags: '--rtc <date>',
      description:
        'what the clock chip shows at the start: ISO date or seconds since 1970 (default: 2026-01-01)',
      parse: (text) => parseRtc(text),
    },
    {
      flags: '--unclaimed <policy>',
      description:
        'a port that no device claims: reads all ones silently, with a warning, or ends the run (exit code 4)',
      choices: ['open-bus', 'warn', 'error'],
      default: 'open-bus',
    },
    {
      flags: '--trace [=events]',
      description:
        "print KVM's tracepoints to standard error: a comma list of names and globs, or all " +
        '(default: kvm_exit,kvm_pio,kvm_userspace_exit)',
    },
    { flags: '--trace-file <path>', description: 'print the trace to a file instead (implies --trace)' },
    {
      flags: '--ioports <file>',
      description: 'name ports in the trace as in this file, shaped like /proc/ioports',
    },
    {
      flags: '--force-emulation',
      description: 'IN and OUT through em_in and em_out instead of kvm_fast_pio',
    },
    {
      flags: '--io-bitmap <ports>',
      description:
        'VMX I/O bitmaps with these bits set: only these ports (0x60-0x64,0x3f8) exit; others read all ones, their writes vanish',
      parse: (text) => parsePorts('--io-bitmap', text),
    },
    {
      flags: '--json',
      description: 'print a run summary as one JSON document, the last line of standard output',
    },
    {
      flags: '--guest-exit',
      description: 'exit with (v << 1) | 1 when the guest writes v to port 0xf4, as QEMU does',
    },
  ],
  async action(context, [file], options) {
    if (options.engine === 'kvm') {
      const { runWithHostKvm } = await import('../host/run-with-host-kvm.ts');
      return runWithHostKvm(context, file, options);
    }
    const { runGuestCommand } = await import('../run/run-guest.ts');
    return runGuestCommand(context, file, options);
  },
};

function parseMemory(text: string): number {
  const size = parseSize('--memory', text, MIN_MEMORY, MAX_MEMORY);
  if (size % 4096 !== 0) throw usageError(`--memory: ${text} is not a whole number of 4 KiB pages`);
  return size;
}
