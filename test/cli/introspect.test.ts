import { describe, expect, it } from 'vitest';
import { cli } from '../unit/cli/capture-io.ts';
import { bytes, guestFolder, LOOP } from './guests.ts';

const folder = guestFolder();
const PIT = folder.file(
  'pit.bin',
  bytes('b0 34 e6 43 e6 80 f4 ; mov al,0x34; out 0x43,al; out 0x80,al; hlt'),
);
const FOREVER = folder.file('loop.bin', LOOP);

describe('pio86 buses', () => {
  it('prints drgn’s text, before and after a guest', async () => {
    const before = await cli(['buses']);
    expect([before.exitCode, before.stderr]).toEqual([0, '']);
    expect(before.stdout).toMatch(/^=====>kvm userspace_pid:1000\n===>kvm\.buses\[0\]: KVM_MMIO_BUS\n/);
    const after = await cli(['buses', '--board', 'kvm', PIT]);
    expect(after).toEqual({ ...before, stderr: 'pio86: the guest halted with interrupts off\n' });
  });

  it('prints one JSON document', async () => {
    const { exitCode, stdout } = await cli(['buses', '--json']);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      userspace_pid: 1000,
      buses: [
        {
          name: 'KVM_MMIO_BUS',
          dev_count: 1,
          range: [{ addr: 0xfec0_0000, len: 256, ops: 'ioapic_mmio_ops' }],
        },
        { name: 'KVM_PIO_BUS', dev_count: 5, ioeventfd_count: 0 },
        { name: 'KVM_VIRTIO_CCW_NOTIFY_BUS', dev_count: 0, range: [] },
        { name: 'KVM_FAST_MMIO_BUS', dev_count: 0, range: [] },
      ],
    });
  });

  it('ends a guest at --max-insns, and names a file that is missing', async () => {
    expect(await cli(['buses', '--max-insns', '1K', FOREVER])).toMatchObject({ exitCode: 5 });
    expect(await cli(['buses', folder.path('none.bin')])).toMatchObject({ exitCode: 3 });
  });
});

describe('pio86 trace --graph', () => {
  it('prints function_graph’s header and a graph an access', async () => {
    const { exitCode, stdout, stderr } = await cli(['trace', '--graph', PIT]);
    expect([exitCode, stderr]).toEqual([0, 'pio86: the guest halted with interrupts off\n']);
    expect(stdout).toMatch(/^# CPU {2}DURATION +FUNCTION CALLS\n# \|/);
    expect(stdout.match(/\| {3}handle_io\(\) \{$/gm)).toHaveLength(2);
    expect(stdout).toContain('pit_ioport_write();');
  });

  it('keeps to --port and --limit', async () => {
    const { exitCode, stdout } = await cli(['trace', '--graph', '--port', '0x80-0x8f', '--limit', '1', PIT]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('pio_write at 0x80');
    expect(stdout).not.toContain('pit_ioport_write');
  });

  it.each([
    [['trace', PIT], '--graph'],
    [['trace', '--graph', '--port', '0x90-0x80', PIT], "'0x90-0x80' is not PORT or FIRST-LAST"],
    [['trace', '--graph', '--port', '1-2-3', PIT], "'1-2-3'"],
    [['trace', '--graph', '--limit', '0', PIT], '--limit'],
  ])('refuses %j', async (argv, message) => {
    const { exitCode, stderr } = await cli(argv);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(message);
  });
});

/** As it stands in the file this project came from. */
const SEED_SCRIPT = `kprobe:kvm_assign_ioeventfd_idx {
  printf("%d %s %s bus_idx:%d\\n", pid, comm, func, (uint8)arg1);
}

kprobe:kvm_io_bus_register_dev {
  printf("%d %s %s bus_idx:%d addr:0x%lx len:%d\\n", pid, comm, func, (uint8)arg1, (uint64)arg2, arg3);
}
`;
const REGISTRATIONS = [
  'bus_idx:1 addr:0x20 len:2',
  'bus_idx:1 addr:0xa0 len:2',
  'bus_idx:1 addr:0x4d0 len:2',
  'bus_idx:0 addr:0xfec00000 len:256',
  'bus_idx:1 addr:0x40 len:4',
  'bus_idx:1 addr:0x61 len:4',
];

describe('pio86 bpftrace', () => {
  it('runs a script made for a real kernel: six registrations in the kernel’s order, and no ioeventfd', async () => {
    const { exitCode, stdout, stderr } = await cli(['bpftrace', '-', '--', 'run', PIT], {
      stdin: SEED_SCRIPT,
      env: { BPFTRACE_STRLEN: '144' },
    });
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(/^pio86: the guest halted with interrupts off/);
    const lines = REGISTRATIONS.map((rest) => `1000 pio86 kvm_io_bus_register_dev ${rest}\n`);
    expect(stdout).toBe(`Attaching 2 probes...\n${lines.join('')}`);
    expect(await cli(['bpftrace', folder.file('seed.bt', SEED_SCRIPT)])).toEqual({
      exitCode: 0,
      stdout,
      stderr: '',
    });
  });

  it('ends a guest that never ends with exit() in an interval, always at the same instruction', async () => {
    const argv = [
      'bpftrace',
      '-e',
      'interval:ms:2 { printf("%d\\n", nsecs); exit(); }',
      '--',
      'run',
      FOREVER,
    ];
    const first = await cli(argv);
    expect(first).toMatchObject({ exitCode: 0, stdout: 'Attaching 1 probe...\n2000000\n' });
    expect(first.stderr).toContain('the script called exit(): 200,000 instructions');
    expect(await cli(argv)).toEqual(first);
  });

  it.each([
    [['bpftrace', '-e', 'BEGIN {\n foo(); }'], 3, '-e:2:2: unknown function: foo'],
    [['bpftrace', folder.path('none.bt')], 3, 'no such file'],
    [['bpftrace'], 2, 'give a SCRIPT'],
    [['bpftrace', '-e', 'BEGIN { }', '--', 'bench'], 2, "'bench' cannot be run"],
    [['bpftrace', '-e', 'BEGIN { }', '--', 'run', '--nonsense'], 2, '--nonsense'],
  ])('refuses %j', async (argv, code, message) => {
    const { exitCode, stderr } = await cli(argv);
    expect([exitCode, stderr]).toEqual([code, expect.stringContaining(message)]);
  });

  it('refuses a BPFTRACE_STRLEN that is no number', async () => {
    const setup = { env: { BPFTRACE_STRLEN: 'x' } };
    expect(await cli(['bpftrace', '-e', 'BEGIN { }'], setup)).toMatchObject({ exitCode: 2 });
  });
});
