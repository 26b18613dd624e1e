import { describe, expect, it } from 'vitest';
import { kvmTags } from '../../../../scripts/kvm-tags.ts';
import { createPcBoard } from '../../../../src/boards/pc.ts';
import {
  kernelArguments,
  kernelResult,
  PROBED_FUNCTIONS,
  PROBED_TABLES,
} from '../../../../src/introspect/bpftrace/kernel-functions.ts';
import { BpftraceSession } from '../../../../src/introspect/bpftrace/session.ts';
import { Eventfd } from '../../../../src/kvm/eventfd.ts';
import { KVM_PIO_BUS } from '../../../../src/uapi/kvm.ts';

/** Creates the board, runs hex code at 0x1000 if there is some, and returns what the script printed. */
function run(script: string, code = ''): string {
  let text = '';
  const session = new BpftraceSession(script, { name: 'test.bt', print: (part) => (text += part) });
  session.start();
  const board = createPcBoard({ kvm: session.kvm });
  if (code !== '') {
    board.vm.memory.write(0x1000, Uint8Array.from(Buffer.from(code.replaceAll(' ', ''), 'hex')));
    const sregs = board.vcpu.getSregs();
    board.vcpu.setSregs({ ...sregs, cs: { ...sregs.cs, selector: 0, base: 0 } });
    board.vcpu.setRegs({ ...board.vcpu.getRegs(), eip: 0x1000, eax: 0x34 });
    board.run(1_000_000);
  }
  session.finish();
  return text.replace(/^Attaching \d+ probes?\.\.\.\n/, '');
}

const begin = (body: string): string => run(`BEGIN { ${body} }`);

describe('a script on the emulated kernel', () => {
  it('sees arguments in the kernel’s order and the kernel’s results', () => {
    const script = `
      kprobe:kvm_fast_pio { printf("%d %x %d\\n", arg1, arg2, arg3); }
      kprobe:kvm_io_bus_write { printf("%d 0x%lx %d\\n", (uint8)arg1, arg2, arg3); }
      kretprobe:kvm_io_bus_write { printf("%s %d\\n", func, retval); }`;
    // out 0x43,al; out 0x80,al; hlt
    expect(run(script, 'e6 43 e6 80 f4')).toBe(
      '1 43 0\n1 0x43 1\nkvm_io_bus_write 0\n1 80 0\n1 0x80 1\nkvm_io_bus_write -95\n',
    );
  });

  it('sees tracepoints with the kernel’s fields, filtered', () => {
    const script = 'tracepoint:kvm:kvm_pio /args.port == 0x80/ { printf("%s %x\\n", probe, args->val); }';
    expect(run(script, 'e6 43 e6 80 f4')).toBe('tracepoint:kvm:kvm_pio 34\n');
  });

  it('counts by key, the largest last', () => {
    const script = 'kprobe:pit_ioport_write { @[arg2, comm] = count(); }';
    expect(run(script, 'e6 43 e6 40 e6 40 f4')).toBe('\n\n@[67, pio86]: 1\n@[64, pio86]: 2\n\n');
  });

  it('runs intervals in virtual time and does not disturb the guest', () => {
    // 30,000 × loop, 10 ns each: 0.3 ms
    expect(run('interval:us:100 { printf("%d\\n", nsecs); }', 'b9 30 75 e2 fe f4')).toBe(
      '100000\n200000\n300000\n',
    );
  });

  it('ends at exit(), then runs END', () => {
    expect(begin('printf("a"); exit(); printf("b"); } END { printf("c")')).toBe('ac');
  });

  it('attaches to what the default board never calls: it registers no ioeventfd', () => {
    expect(run('kprobe:kvm_assign_ioeventfd_idx { printf("x"); }', 'e6 43 f4')).toBe('');
  });

  it('sees ioeventfds come and work, with the kernel’s arguments', () => {
    let text = '';
    const script = `
      kprobe:kvm_assign_ioeventfd_idx { printf("%s bus_idx:%d\\n", func, (uint8)arg1); }
      kprobe:kvm_io_bus_register_dev { printf("%s addr:0x%lx len:%d\\n", func, (uint64)arg2, arg3); }
      kprobe:ioeventfd_in_range { printf("%s 0x%lx %d\\n", func, arg1, arg2); }
      kretprobe:ioeventfd_write,kretprobe:kvm_ioeventfd { printf("%s %d\\n", func, retval); }`;
    const session = new BpftraceSession(script, { name: 'test.bt', print: (part) => (text += part) });
    const vm = session.kvm.createVm();
    const args = { fd: new Eventfd(), addr: 0x90, len: 1, datamatch: 7, flags: 3 };
    vm.ioeventfd(args);
    vm.ioeventfd(args);
    for (const value of [7, 8]) vm.fn.kvmIoBusWrite(vm.buses[KVM_PIO_BUS], 0x90, 1, value);
    expect(text).toBe(
      'kvm_assign_ioeventfd_idx bus_idx:1\nkvm_io_bus_register_dev addr:0x90 len:1\nkvm_ioeventfd 0\n' +
        'kvm_assign_ioeventfd_idx bus_idx:1\nkvm_ioeventfd -17\n' +
        'ioeventfd_in_range 0x90 1\nioeventfd_write 0\nioeventfd_in_range 0x90 1\nioeventfd_write -95\n',
    );
  });

  it('sees the IOAPIC’s tracepoint with the redirection entry as it was', () => {
    let text = '';
    const script =
      'tracepoint:kvm:kvm_ioapic_set_irq { printf("%d 0x%lx %d\\n", args.pin, args.e, args.coalesced); }';
    const session = new BpftraceSession(script, { name: 'test.bt', print: (part) => (text += part) });
    const vm = session.kvm.createVm();
    vm.createIrqchip();
    vm.irqLine(5, 1);
    vm.irqLine(5, 1);
    expect(text).toBe('5 0x10000 0\n5 0x10000 1\n');
  });

  it('matches globs', () => {
    expect(run('kprobe:picdev_*_write { @[func] = count() }', 'e6 20 e6 a1 f4')).toBe(
      '\n\n@[picdev_master_write]: 1\n@[picdev_slave_write]: 1\n\n',
    );
  });
});

describe('the language', () => {
  it.each([
    ['printf("%d", 7 / 2 * 2 + 1 % 3)', '7'],
    ['printf("%d", -7 / 2)', '-3'],
    ['printf("%d %d", 1 << 4 | 1, 5 & ~1 ^ 8)', '17 12'],
    ['printf("%s", 1 < 2 && !0 ? "yes" : "no")', 'yes'],
    ['printf("%d %d %u", (uint8)0x1ff, (int8)0xff, (uint64)-1)', '255 -1 18446744073709551615'],
    ['printf("[%5d|%-5d|%05d|%#x|%X|%c|%%]", 42, 42, 42, 255, 255, 65)', '[   42|42   |00042|0xff|FF|A|%]'],
    ['printf("[%6s|%-6s|%.2s]\\t\\x41", "abc", "abc", "abc")', '[   abc|abc   |ab]\tA'],
    ['$x = 3; $x += 4; $x++; --$x; printf("%d", $x)', '7'],
    ['@x = 5; printf("%d", @x++); printf("%d", @x); clear(@x)', '56'],
    ['if (pid == 1) { printf("a") } else if (cpu == 0) { printf("b"); } else { printf("c") }', 'b'],
    ['@a[1, "x"] = 2; @a[2, "y"] = 1; delete(@a[2, "y"])', '\n\n@a[1, x]: 2\n\n'],
    ['@ = sum(4); @ = sum(5)', '\n\n@: 9\n\n'],
    ['@ = avg(4); @ = avg(7)', '\n\n@: 5\n\n'],
    ['@ = min(4); @ = min(-7); @m = max(3); @m = max(9)', '\n\n@: -7\n\n@m: 9\n\n'],
    ['@["a"] = 1; @["b"] = 2; @["c"] = 3; print(@, 2); clear(@)', '@[b]: 2\n@[c]: 3\n\n'],
    ['@x = 1; zero(@x); print((1, "a")); /* c */ // d\n', '(1, a)\n\n\n@x: 0\n\n'],
    ['return; printf("x")', ''],
  ])('%s', (body, text) => {
    expect(begin(body)).toBe(text);
  });

  it('draws histograms as bpftrace does', () => {
    const full = '@'.repeat(52);
    const half = '@'.repeat(26).padEnd(52);
    expect(begin('@ = hist(2); @ = hist(3); @ = hist(1500)')).toMatch(
      new RegExp(
        `^\\n\\n@: \\n\\[2, 4\\) {17}2 \\|${full}\\|\\n(.*\\n){8}\\[1K, 2K\\) {15}1 \\|${half}\\|\\n\\n$`,
      ),
    );
    expect(begin('@ = lhist(-1, 0, 20, 10); @ = lhist(25, 0, 20, 10)')).toBe(
      `\n\n@: \n(..., 0)               1 |${full}|\n[0, 10)                0 |${' '.repeat(52)}|\n` +
        `[10, 20)               0 |${' '.repeat(52)}|\n[20, ...)              1 |${full}|\n\n`,
    );
  });
});

describe('a wrong script', () => {
  it.each([
    ['BEGIN {\n  foo(1); }', '2:3: unknown function: foo'],
    ['BEGIN { $a = ; }', '1:14: syntax error'],
    ['', '1:1: the script has no probes'],
    ['kprobe:kvm_no_such { }', '1:1: kprobe:kvm_no_such: could not resolve symbol'],
    ['uprobe:x { }', '1:1: invalid probe type: uprobe'],
    ['tracepoint:sched:x { }', '1:1: no tracepoint matches'],
    ['interval:ms:0 { }', '1:1: interval:ms:0'],
    ['BEGIN { printf("%d", "a"); }', '1:22: printf: %d expects a value of type int'],
    ['BEGIN { printf("%d"); }', '1:9: printf: the format takes 1 arguments, 0 given'],
    ['BEGIN { printf("%y", 1); }', "1:16: printf: unknown format specifier '%y'"],
    ['BEGIN { printf("%d", arg0); }', '1:22: arg0 cannot be used with BEGIN'],
    ['kprobe:em_in { printf("%d", retval); }', '1:29: retval cannot be used with kprobe:em_in'],
    ['tracepoint:kvm:kvm_pio { print(args.foo) }', "1:32: tracepoint:kvm:kvm_pio has no field 'foo'"],
    ['BEGIN { print(@x); }', '1:15: undefined map: @x'],
    ['BEGIN { print($x); }', '1:15: undefined or undeclared variable: $x'],
    ['BEGIN { @x = 1; @x = count(); }', '1:17: type mismatch for @x'],
    ['BEGIN { @x = 1; @x[1] = 1; }', '1:17: @x has 0 keys elsewhere, 1 here'],
    ['BEGIN { $x = count(); }', '1:14: count() must be assigned to a map'],
    ['BEGIN { print(constructor(1)); }', '1:15: unknown function: constructor'],
    [`BEGIN { print("${'x'.repeat(64)}"); }`, '1:15: string is too long'],
  ])('%j names line and column', (script, message) => {
    expect(() => run(script)).toThrow(`test.bt:${message}`);
  });
});

describe('probed functions', () => {
  it('see a vCPU come into being in the kernel’s order', () => {
    const probes = [
      'kvm_vm_ioctl_create_vcpu',
      'kvm_arch_vcpu_precreate',
      'kvm_arch_vcpu_create',
      'vmx_vcpu_create',
      'kvm_vcpu_reset',
      'vmx_vcpu_reset',
      'kvm_arch_vcpu_postcreate',
    ];
    const script = probes.map((name) => `kprobe:${name}`).join(',');
    expect(
      run(`${script} { printf("%s\\n", func); } kretprobe:${probes[0]} { printf("%d\\n", retval); }`),
    ).toBe(`${probes.join('\n')}\n5\n`);
  });

  it('have as many arguments as their @kvm tags say', () => {
    const counts = new Map(kvmTags().map((tag) => [tag.kernelName, (tag.args ?? '').split(',').length]));
    const source = { vcpu: {}, ctxt: {}, kvm: {}, addressOf: () => 1n };
    const functions = Object.assign({}, ...PROBED_TABLES) as Record<string, (...args: unknown[]) => unknown>;
    const wrong: string[] = [];
    for (const [kernel, ours] of PROBED_FUNCTIONS) {
      const given = [{ idx: 1, dev: {} }, [], 2, 3, 4, 5, 6].slice(0, functions[ours]?.length);
      if (kernelArguments(kernel, given, source).length !== counts.get(kernel)) wrong.push(kernel);
    }
    expect(wrong).toEqual([]);
  });

  it('return the kernel’s 0 and −EOPNOTSUPP', () => {
    const source = { vcpu: null, ctxt: null, kvm: null, addressOf: () => 1n };
    expect(kernelResult('kvm_io_bus_read', 0x55, source)).toBe(0n);
    expect(kernelResult('kvm_io_bus_read', -1, source)).toBe(-95n);
    expect(kernelResult('pit_ioport_write', false, source)).toBe(-95n);
    expect(kernelResult('pic_ioport_read', 0x55, source)).toBe(0x55n);
    expect(kernelResult('kvm_fast_pio', 1, source)).toBe(1n);
  });
});
