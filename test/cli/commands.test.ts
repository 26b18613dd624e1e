import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { EXIT_CODE_TABLE } from '../../src/cli/exit-codes.ts';
import { COMMANDS } from '../../src/cli/run-cli.ts';
import { cli } from '../unit/cli/capture-io.ts';
import { guestFolder } from './guests.ts';

const folder = guestFolder();
const SEED = '../shared/seeds/004_249698b023a2209a.txt';

describe('help', () => {
  it.each([[[]], ...COMMANDS.map(({ name }) => [[name]])])(
    'of %j starts with examples and fits 80 columns',
    async (path) => {
      const { exitCode, stdout, stderr } = await cli([...path, '--help']);
      expect([exitCode, stderr]).toEqual([0, '']);
      expect(stdout).toMatch(/^Examples:\n {2}\$ .*pio86 /);
      expect(stdout.split('\n').filter((line) => line.length > 79)).toEqual([]);
    },
  );

  it('documents every exit code', async () => {
    const { stdout } = await cli(['--help']);
    for (const [code, meaning] of EXIT_CODE_TABLE) expect(stdout).toContain(`${code}  ${meaning}`);
  });

  it('is what a command line without command gets, with exit code 2', async () => {
    const { exitCode, stdout, stderr } = await cli([]);
    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/Usage: pio86 .*\npio86: no command given; see 'pio86 --help'\n$/s);
  });

  it('shows only examples that parse', async () => {
    for (const { name, examples } of COMMANDS) {
      for (const example of examples) expect(example).toMatch(new RegExp(`pio86 ${name}\\b`));
    }
  });

  it('is printed by the help command too', async () => {
    expect(await cli(['help', 'run'])).toEqual(await cli(['run', '--help']));
  });

  it('prints the version', async () => {
    expect(await cli(['--version'])).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
  });
});

describe('pio86 explain', () => {
  it('shows text, fields, path and notes in less than 80 columns', async () => {
    const { exitCode, stdout } = await cli(['explain', 'f3', '6e', '--dx', '0x3f8']);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('rep outsb    f3 6e, 2 bytes, real');
    expect(stdout).toContain('exit qualification 0x03f80030');
    expect(stdout).toMatch(/│ 5 +│ REP prefixed +│ 1 +│ REP /);
    expect(stdout).toMatch(/handle_io\n +kvm_emulate_instruction\n +x86_emulate_instruction\n/);
    expect(stdout.split('\n').filter((line) => line.length > 79)).toEqual([]);
  });

  it.each([['f36e'], ['f3,6e'], ['0xf3 0x6e'], ['F3', '6E']])('takes bytes as %j', async (...bytes) => {
    const { exitCode, stdout } = await cli(['explain', '--json', ...bytes]);
    expect([exitCode, JSON.parse(stdout).instruction.bytes]).toEqual([0, 'f3 6e']);
  });

  it.each([[['0x03f80030']], [['--qual', '0x3f80030']], [['--qual', '66584624']]])(
    'takes a qualification as %j',
    async (args) => {
      const { stdout } = await cli(['explain', '--json', ...args]);
      expect(JSON.parse(stdout)).toMatchObject({
        schemaVersion: 1,
        instruction: null,
        exitQualification: { value: 0x03f8_0030 },
      });
    },
  );

  it.each([
    ['0x60-0x64', 'exits', 1],
    ['0x60,0x62', 'does not exit', 0],
  ])('says whether port 0x61 exits under bitmaps with %s set: %s', async (ports, answer, bit) => {
    const { exitCode, stdout } = await cli(['explain', '--io-bitmap', ports, 'e4', '61']);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(
      `Under these I/O bitmaps: ${answer}\n  port 0x61: bit 1 of byte 0xc of I/O bitmap A is ${bit}\n`,
    );
  });

  it('names undefined bits and says so with exit code 3', async () => {
    const { exitCode, stdout } = await cli(['explain', '0x000000c2']);
    expect([exitCode, stdout]).toEqual([
      3,
      expect.stringContaining('! bits 2:0 are 2, only 0, 1 and 3 are sizes'),
    ]);
  });

  it.each([
    [['90'], 3, /90: 'nop' is not IN, OUT, INS or OUTS/],
    [['f0', 'ec'], 3, /#UD/],
    [['e4'], 3, /end inside the instruction/],
    [['xyz'], 2, /is not a list of hex bytes/],
    [['f3', '6'], 2, /is not a list of hex bytes/],
    [[], 2, /give the instruction's bytes/],
    [['--qual', '1', 'ec'], 2, /give bytes or --qual, not both/],
    [['--qual', '0x12345678123456781'], 2, /--qual/],
    [['--dx', '65536', 'ec'], 2, /--dx/],
    [['--io-bitmap', '0x60', 'ec'], 2, /needs the port: give --dx/],
    [['--io-bitmap', 'x', 'e4', '60'], 2, /list of ports/],
  ] as const)('refuses %j', async (args, exitCode, message) => {
    const result = await cli(['explain', ...args]);
    expect([result.exitCode, result.stdout]).toEqual([exitCode, '']);
    expect(result.stderr).toMatch(/^pio86: [^\n]+\n$/);
    expect(result.stderr).toMatch(message);
  });
});

describe('pio86 ioports', () => {
  it.each(['pc', 'kvm'])('prints the map of board %s in a shape that it reads back', async (board) => {
    const printed = await cli(['ioports', '--board', board]);
    expect(printed.exitCode).toBe(0);
    expect(printed.stdout).toMatch(/^0020-0021 : pic1\n/);
    const again = await cli(['ioports', folder.file(`${board}.txt`, printed.stdout)]);
    expect(again).toEqual(printed);
  });

  it('prints JSON', async () => {
    const { stdout } = await cli(['ioports', '--board', 'kvm', '--json']);
    const { schemaVersion, source, ports } = JSON.parse(stdout);
    expect([schemaVersion, source]).toEqual([1, 'board kvm']);
    expect(ports[0]).toEqual({ base: 0x20, end: 0x21, name: 'pic1', device: 'i8259', children: [] });
  });

  it('reads standard input', async () => {
    const { stdout } = await cli(['ioports', '-'], { stdin: '0020-0021 : pic1\n' });
    expect(stdout).toBe('0020-0021 : pic1\n');
  });

  it.skipIf(!existsSync(SEED))(
    'reads the write-up that the project grew from (needs ../shared/seeds)',
    async () => {
      const { exitCode, stdout } = await cli(['ioports', SEED]);
      expect(exitCode).toBe(0);
      const lines = stdout.trimEnd().split('\n');
      expect([lines.length, lines[0], lines[4], lines.at(-1)]).toEqual([
        64,
        '0000-03bb : PCI Bus 0000:00',
        '  0050-0053 : timer1',
        '8000-ffff : PCI Bus 0000:80',
      ]);
    },
  );

  it('refuses a malformed file with its line', async () => {
    const path = folder.file('bad.txt', '0020-0021 : pic1\nnonsense\n0040-0043 : timer0\n');
    const result = await cli(['ioports', path]);
    expect(result).toMatchObject({
      exitCode: 3,
      stdout: '',
      stderr: expect.stringMatching(/bad\.txt:2: 'nonsense'/),
    });
  });
});

describe('pio86 conform', () => {
  it('passes the arguments on and ends with the counts', async () => {
    const { exitCode, stdout } = await cli([
      'conform',
      '--filter',
      'id=7',
      'test/vectors/kvm/pio-real.jsonl.gz',
    ]);
    expect(stdout.trimEnd().split('\n').at(-1)).toMatch(/^\d+ passed, 0 failed/);
    expect(exitCode).toBe(0);
  });

  it('refuses a missing path and a missing argument', async () => {
    expect(await cli(['conform', 'no/such'])).toMatchObject({
      exitCode: 3,
      stderr: expect.stringContaining('no/such: no such file'),
    });
    expect(await cli(['conform'])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("missing required argument 'paths'"),
    });
  });
});

describe('pio86 fuzz', () => {
  it('runs as many cases as asked, the same for the same seed', async () => {
    const argv = ['fuzz', 'string-io', '--runs', '50', '--seed', '7', '--json'];
    const [first, second] = [await cli(argv), await cli(argv)];
    expect(first.exitCode).toBe(0);
    const [one, other] = [JSON.parse(first.stdout), JSON.parse(second.stdout)];
    expect(one).toMatchObject({ target: 'string-io', seed: 7, runs: 50, total: 50, findings: [] });
    expect(one.execPerSec).toBeGreaterThan(0);
    expect(other.counts).toEqual(one.counts);
  });

  it('prints the seed it chose', async () => {
    expect((await cli(['fuzz', 'string-io', '--runs', '1'])).stdout).toMatch(/seed \d+/);
  });

  it.each(['insn', 'jit', 'devices', 'bus', 'loaders', 'bpftrace'])('finds nothing in %s', async (target) => {
    const { exitCode, stdout } = await cli(['fuzz', target, '--runs', '30', '--seed', '3']);
    expect(stdout).toMatch(/^30 runs, 0 findings \(seed 3\)$/m);
    expect(exitCode).toBe(0);
  });

  it.each([
    [['fuzz', 'nothing'], 2, /Allowed choices are string-io/],
    [['fuzz', 'string-io', '--runs', '0'], 2, /--runs/],
    [['fuzz', 'string-io', '--export', 'c'], 2, /--export needs --replay/],
    [['fuzz', 'string-io', '--seed', '4294967296'], 2, /--seed/],
    [['fuzz', 'string-io', '--replay', 'no/such'], 3, /no\/such: no such file/],
  ] as const)('refuses %j', async (argv, exitCode, message) => {
    const result = await cli(argv);
    expect([result.exitCode, result.stderr]).toEqual([exitCode, expect.stringMatching(message)]);
  });
});

describe('pio86 demo', () => {
  it('shows the programming of the PIT, a tick, the path of an access, and Test OK', async () => {
    const { exitCode, stdout, stderr } = await cli(['demo']);
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(
      /kvm_pio: pio_write at 0x43 size 1 count 1 val 0x34 {2}\| out 0x43,al ; timer0 \(i8254\): counter 0, lobyte\/hibyte, mode 2\n/,
    );
    expect(stdout.match(/pio_write at 0x40 /g)).toHaveLength(2);
    expect(stdout).toMatch(
      /kvm_set_irq: gsi 0 level 1 source 2\n.*kvm_inj_virq: IRQ 0x20\n.*OCW2: EOI\n.*kvm_ack_irq: irqchip PIC master pin 0\n/s,
    );
    expect(stdout).toMatch(
      /handle_io\(\) \{\n.*kvm_fast_pio\(\) \{\n.*kvm_fast_pio_out\(\) \{\n.*kernel_pio\(\) \{\n.*pit_ioport_write\(\)/s,
    );
    expect(stdout).toMatch(/tick 1\ntick 2\ntick 3\ntick 4\ntick 5\nTest OK\n/);
    expect(stdout).toMatch(/Test OK\n$/);
  });
});

describe('colours', () => {
  it.each([
    [{}, false],
    [{ FORCE_COLOR: '1' }, true],
    [{ FORCE_COLOR: '1', NO_COLOR: '1' }, false],
    [{ FORCE_COLOR: '0' }, false],
    [{ NO_COLOR: '' }, false],
  ])('under %j: %s', async (env, isColored) => {
    const { stdout } = await cli(['explain', 'ec'], { env });
    expect(stdout.includes('\u001b[')).toBe(isColored);
  });
});
