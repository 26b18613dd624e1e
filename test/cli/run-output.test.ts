import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { cli } from '../unit/cli/capture-io.ts';
import * as guests from './guests.ts';

const folder = guests.guestFolder();
const hello = folder.file('hello.bin', guests.HELLO);
const floodUart = folder.file('flood-uart.bin', guests.FLOOD_UART);
const floodPort = folder.file('flood-port.bin', guests.FLOOD_PORT);
const halt = folder.file('halt.bin', guests.HALT);

describe('pio86 run', () => {
  it.each(['pc', 'kvm'])(
    'sends UART and debug console of board %s to stdout, in their order',
    async (board) => {
      expect(await cli(['run', '--board', board, hello])).toMatchObject({ exitCode: 0, stdout: 'Hidbg' });
    },
  );

  it('sends the UART to a file, or nowhere', async () => {
    const path = folder.path('serial.txt');
    expect(await cli(['run', '--serial', `file:${path}`, hello])).toMatchObject({
      exitCode: 0,
      stdout: 'dbg',
    });
    expect(readFileSync(path, 'utf8')).toBe('Hi');
    expect(await cli(['run', '--serial', 'none', hello])).toMatchObject({ exitCode: 0, stdout: 'dbg' });
  });

  it('lets only the ports of --io-bitmap exit, and says how many accesses did not', async () => {
    const { exitCode, stdout, stderr } = await cli(['run', '--json', '--io-bitmap', '0xe9', hello]);
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(/^dbgpio86: .*, 2 port accesses without an exit\n$/);
    expect(JSON.parse(stdout)).toMatchObject({
      vmExits: { byReason: { IO_INSTRUCTION: 3, HLT: 1 } },
      stat: { io_exits: 3, non_exiting_io: 2 },
    });
  });

  it('prints the summary as one JSON document and guest output on stderr under --json', async () => {
    const { exitCode, stdout, stderr } = await cli(['run', '--json', hello]);
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(/^Hidbgpio86: /);
    expect(JSON.parse(stdout)).toMatchObject({
      schemaVersion: 1,
      format: 'raw',
      board: 'pc',
      end: { kind: 'halted' },
      exitCode: 0,
      instructions: 12,
      virtualNs: 120,
      vmExits: { total: 6, byReason: { IO_INSTRUCTION: 5, HLT: 1 } },
      stat: { io_exits: 5, userspace_io_exits: 5 },
      ports: [
        { port: 0xe9, device: 'debug-console', in: { count: 0, bytes: 0 }, out: { count: 3, bytes: 3 } },
        {
          port: 0x3f8,
          name: 'serial',
          device: 'serial',
          in: { count: 0, bytes: 0 },
          out: { count: 2, bytes: 2 },
        },
      ],
      devices: [
        { device: 'debug-console', out: { count: 3, bytes: 3 } },
        { device: 'serial', out: { count: 2, bytes: 2 } },
      ],
      registers: { eax: 0x67, edx: 0x3f8, cs: 0, eip: 0x1016 },
    });
  });

  it('is the same run with and without counting', async () => {
    const plain = await cli(['run', '--max-insns', '30000', floodPort]);
    const counted = await cli(['run', '--max-insns', '30000', '--json', floodPort]);
    expect(counted.stderr).toBe(plain.stderr);
    expect(JSON.parse(counted.stdout).ports).toEqual([
      {
        port: 0x1234,
        name: null,
        device: null,
        in: { count: 10_000, bytes: 40_000 },
        out: { count: 10_000, bytes: 20_000 },
      },
    ]);
  });

  it('hands on everything that a flood of the UART brings within its budget', async () => {
    const { exitCode, stdout } = await cli(['run', '--max-insns', '1M', floodUart]);
    // mov, mov, then out and jmp by turns; the last out is instruction 999,999.
    expect([exitCode, stdout.length, stdout.replaceAll('x', '')]).toEqual([5, 499_999, '']);
  });

  it('warns once a port and direction under --unclaimed warn', async () => {
    const { exitCode, stderr } = await cli(['run', '--unclaimed', 'warn', '--max-insns', '1000', floodPort]);
    expect(exitCode).toBe(5);
    expect(stderr.match(/^pio86: warning: no device at port 0x1234/gm)).toHaveLength(2);
  });

  it('sets registers, entry and memory from options', async () => {
    const data = folder.file('data.bin', guests.bytes('90 90 f4'));
    const { stdout } = await cli([
      ...['run', '--json', '--load', `${data}@0200:0010`, '--entry', '0200:0011', halt],
      ...[
        '--reg',
        'eax=0x12345678',
        '--reg',
        'ah=0xff',
        '--reg',
        'si=1',
        '--reg',
        'ds=0x40',
        '--reg',
        'flags=0x403',
      ],
    ]);
    expect(JSON.parse(stdout).registers).toMatchObject({
      eax: 0x1234ff78,
      esi: 1,
      ds: 0x40,
      cs: 0x200,
      eip: 0x13,
      eflags: 0x403,
    });
  });

  it('enters the first --load when there is no FILE', async () => {
    const { stdout } = await cli(['run', '--json', '--load', `${halt}@0x12345`]);
    expect(JSON.parse(stdout)).toMatchObject({
      end: { kind: 'halted' },
      registers: { cs: 0x1000, eip: 0x2346 },
    });
  });

  it('takes the same way with --force-emulation as without, as far as a guest can tell', async () => {
    const [fast, emulated] = await Promise.all([
      cli(['run', '--json', hello]),
      cli(['run', '--json', '--force-emulation', hello]),
    ]);
    const [a, b] = [JSON.parse(fast.stdout), JSON.parse(emulated.stdout)];
    expect(b.registers).toEqual(a.registers);
    expect(b.ports).toEqual(a.ports);
    expect([a.stat.insn_emulation, b.stat.insn_emulation]).toEqual([0, 5]);
  });

  it('counts virtual time by --ips', async () => {
    const { stdout } = await cli(['run', '--json', '--ips', '1M', hello]);
    expect(JSON.parse(stdout).virtualNs).toBe(12_000);
  });

  it('paces a guest to the host under --clock wall', async () => {
    const loop = folder.file('loop.bin', guests.LOOP);
    const started = performance.now();
    const { exitCode } = await cli(['run', '--clock', 'wall', '--ips', '100K', '--max-insns', '30K', loop]);
    expect(exitCode).toBe(5);
    expect(performance.now() - started).toBeGreaterThan(250);
  });
});

describe('pio86 run --trace', () => {
  it("prints KVM's lines to stderr, the guest's output stays on stdout", async () => {
    const { stdout, stderr } = await cli(['run', '--trace=kvm_pio', hello]);
    expect(stdout).toBe('Hidbg');
    const lines = stderr.trimEnd().split('\n');
    expect(lines).toHaveLength(6);
    expect(lines[0]).toBe(
      '[0.000000020] 0000:1005  kvm_pio: pio_write at 0x3f8 size 1 count 1 val 0x48  | out dx,al ; serial (serial)',
    );
    expect(lines[5]).toMatch(/^pio86: /);
  });

  it('stands alone before FILE with the default events', async () => {
    const { exitCode, stderr } = await cli(['run', '--trace', hello]);
    expect(exitCode).toBe(0);
    const events = [...stderr.matchAll(/ (kvm_\w+): /g)].map((match) => match[1]);
    expect(events.slice(0, 3)).toEqual(['kvm_exit', 'kvm_pio', 'kvm_userspace_exit']);
    expect(new Set(events)).toEqual(new Set(['kvm_exit', 'kvm_pio', 'kvm_userspace_exit']));
  });

  it('writes to a file and closes it when the guest dies', async () => {
    const path = folder.path('trace.txt');
    const { exitCode, stderr } = await cli([
      'run',
      '--trace=kvm_pio',
      '--trace-file',
      path,
      '--unclaimed',
      'error',
      floodPort,
    ]);
    expect([exitCode, stderr.includes('kvm_pio')]).toEqual([4, false]);
    expect(readFileSync(path, 'utf8')).toMatch(
      /^\[[\d.]+\] 0000:1003 {2}kvm_pio: pio_write at 0x1234 .*\(unclaimed\)\n$/,
    );
  });

  it('names ports as the file of --ioports does', async () => {
    const map = folder.file('ioports', '03f8-03ff : my serial\n');
    const { stderr } = await cli(['run', '--trace=kvm_pio', '--ioports', map, hello]);
    expect(stderr).toContain('; my serial (serial)\n');
  });

  it('is complete for a flood', async () => {
    const path = folder.path('flood.txt');
    await cli(['run', '--trace=kvm_pio,kvm_exit', '--trace-file', path, '--max-insns', '100K', floodPort]);
    // Two of three instructions access the port; two lines each; the first is a mov.
    expect(readFileSync(path, 'utf8').split('\n').length - 1).toBe(133_332);
  });
});
