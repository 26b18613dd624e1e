import { beforeEach, describe, expect, it } from 'vitest';
import { IO_NOT_HANDLED } from '../../../src/bus/io-device.ts';
import { I8042 } from '../../../src/devices/i8042.ts';
import { I8042_COMMAND_PORT, I8042_DATA_PORT } from '../../../src/devices/i8042-reg.ts';
import { KEYBOARD_BUFFER_LEN } from '../../../src/devices/ps2-keyboard.ts';
import { TestLine } from './board-device-fakes.ts';

let irq: TestLine;
let a20: boolean[];
let resets: number;
let kbc: I8042;
const status = () => kbc.read(I8042_COMMAND_PORT, 1);
const data = () => kbc.read(I8042_DATA_PORT, 1);
const command = (value: number, ...bytes: number[]) => {
  kbc.write(I8042_COMMAND_PORT, 1, value);
  for (const byte of bytes) kbc.write(I8042_DATA_PORT, 1, byte);
};
const send = (...bytes: number[]) => {
  for (const byte of bytes) kbc.write(I8042_DATA_PORT, 1, byte);
};
/** Everything that waits in the output buffer. */
function drain(): number[] {
  const bytes: number[] = [];
  while ((status() & 1) !== 0) bytes.push(data());
  return bytes;
}

beforeEach(() => {
  irq = new TestLine();
  a20 = [];
  resets = 0;
  kbc = new I8042({ irq, setA20: (open) => a20.push(open), onReset: () => resets++ });
});

describe('status', () => {
  it('is empty, unlocked and without the system flag at power-on', () => {
    expect(status()).toBe(0x10);
  });

  it('tells whether the last write was a command, and gets the system flag with the self-test', () => {
    command(0xaa);
    expect([status(), data(), status()]).toEqual([0x1d, 0x55, 0x1c]);
    command(0x60, 0x00);
    expect(status()).toBe(0x10);
  });

  it('is read at 0x64 without taking the byte, which stays readable after it was taken', () => {
    command(0xab);
    expect([status() & 1, status() & 1, data(), status() & 1, data()]).toEqual([1, 1, 0x00, 0, 0x00]);
  });
});

describe('controller commands', () => {
  it.each([
    ['self-test', 0xaa, [0x55]],
    ['keyboard interface test', 0xab, [0x00]],
    ['auxiliary interface test', 0xa9, [0x01]],
    ['read command byte', 0x20, [0x41]],
    ['read input port', 0xc0, [0xa0]],
    ['read output port', 0xd0, [0xcf]],
    ['unknown', 0x00, []],
    ['pulse nothing', 0xff, []],
  ])('%s', (_name, value, answer) => {
    command(value);
    expect(drain()).toEqual(answer);
    expect(resets).toBe(0);
  });

  it('write and read the command byte', () => {
    command(0x60, 0x75);
    command(0x20);
    expect(drain()).toEqual([0x75]);
  });

  it('disable and enable both interfaces through the command byte', () => {
    command(0xad);
    command(0xa7);
    command(0x20);
    expect(drain()).toEqual([0x71]);
    command(0xae);
    command(0xa8);
    command(0x20);
    expect(drain()).toEqual([0x41]);
  });

  it('D2 puts a byte into the output buffer as if it came from the keyboard', () => {
    command(0xd2, 0x99);
    expect([irq.level, status() & 1, data()]).toEqual([1, 1, 0x99]);
  });

  it('D3 and D4 swallow their byte: there is no mouse', () => {
    command(0xd3, 0xff);
    command(0xd4, 0xff);
    expect(drain()).toEqual([]);
  });

  it('answer before scan codes that wait', () => {
    kbc.receiveScancode(0x1c);
    kbc.receiveScancode(0x32);
    command(0x20);
    expect(drain()).toEqual([0x1e, 0x41, 0x30]);
  });

  it('decline wide accesses without effect', () => {
    expect(kbc.write(I8042_COMMAND_PORT, 2, 0xaaaa)).toBe(false);
    expect(kbc.read(I8042_DATA_PORT, 2)).toBe(IO_NOT_HANDLED);
    expect(status()).toBe(0x10);
  });
});

describe('output port', () => {
  it('drives A20 with bit 1', () => {
    command(0xd1, 0xc1);
    command(0xd1, 0xc3);
    expect(a20).toEqual([false, true]);
    expect(resets).toBe(0);
  });

  it('pulls the reset line with bit 0 clear', () => {
    command(0xd1, 0xc2);
    expect(resets).toBe(1);
  });

  it('bit 4 follows the output buffer', () => {
    command(0xd2, 0x01);
    command(0xd0);
    expect(drain()).toEqual([0x01, 0xdf]);
  });

  it('has A20 closed by DD and opened by DF', () => {
    command(0xdd);
    command(0xd0);
    expect(drain()).toEqual([0xcd]);
    command(0xdf);
    command(0xd0);
    expect(drain()).toEqual([0xcf]);
    expect(a20).toEqual([false, true]);
  });

  it.each([
    [0xfe, 1],
    [0xf0, 1],
    [0xfd, 0],
    [0xff, 0],
  ])('pulse 0x%s resets %i times', (value, count) => {
    command(value);
    expect(resets).toBe(count);
  });
});

describe('keyboard', () => {
  it.each([
    ['reset', [0xff], [0xfa, 0xaa]],
    ['enable', [0xf4], [0xfa]],
    ['disable', [0xf5], [0xfa]],
    ['set defaults', [0xf6], [0xfa]],
    ['echo', [0xee], [0xee]],
    ['identify', [0xf2], [0xfa, 0xab, 0x83]],
    ['lights', [0xed, 0x07], [0xfa, 0xfa]],
    ['typematic', [0xf3, 0x20], [0xfa, 0xfa]],
    ['select scan set 1', [0xf0, 0x01], [0xfa, 0xfa]],
    ['report scan set', [0xf0, 0x00], [0xfa, 0xfa, 0x02]],
    ['refuse scan set 4', [0xf0, 0x04], [0xfa, 0xfe]],
    ['resend', [0xee, 0xfe], [0xee, 0xee]],
    ['refuse an unknown command', [0xe0], [0xfe]],
    ['take a command in place of a parameter', [0xed, 0xee], [0xfa, 0xee]],
  ])('%s', (_name, bytes, answer) => {
    command(0x60, 0x01); // no translation
    const got: number[] = [];
    for (const byte of bytes) {
      send(byte);
      got.push(...drain());
    }
    expect(got).toEqual(answer);
  });

  it('keeps lights and typematic rate', () => {
    send(0xed, 0x05, 0xf3, 0x7f);
    expect([kbc.keyboard.state.leds, kbc.keyboard.state.typematic]).toEqual([5, 0x7f]);
  });

  it('is identified as AB 41 through the translation', () => {
    send(0xf2);
    expect(drain()).toEqual([0xfa, 0xab, 0x41]);
  });

  it('sends set 1 codes through the translation, the release prefix as bit 7', () => {
    for (const code of [0x1c, 0xf0, 0x1c, 0xe0, 0x75, 0xe0, 0xf0, 0x75, 0x83, 0xf0, 0x83])
      kbc.receiveScancode(code);
    expect(drain()).toEqual([0x1e, 0x9e, 0xe0, 0x48, 0xe0, 0xc8, 0x41, 0xc1]);
  });

  it('sends codes as they are without the translation', () => {
    command(0x60, 0x01);
    for (const code of [0x1c, 0xf0, 0x1c]) kbc.receiveScancode(code);
    expect(drain()).toEqual([0x1c, 0xf0, 0x1c]);
  });

  it('holds sixteen codes behind the output buffer and refuses more', () => {
    const taken = Array.from({ length: 40 }, () => kbc.receiveScancode(0x1c)).filter(Boolean).length;
    expect(taken).toBe(KEYBOARD_BUFFER_LEN + 1);
    expect(drain().length).toBe(taken);
  });

  it('is silent while disabled, and its codes wait while the interface is held', () => {
    send(0xf5);
    drain();
    expect(kbc.receiveScancode(0x1c)).toBe(false);
    send(0xf4);
    drain();
    command(0xad);
    expect(kbc.receiveScancode(0x1c)).toBe(true);
    expect(drain()).toEqual([]);
    command(0xae);
    expect(drain()).toEqual([0x1e]);
  });

  it('is released by a byte sent to it', () => {
    command(0xad);
    send(0xee);
    expect(drain()).toEqual([0xee]);
    command(0x20);
    expect(drain()).toEqual([0x41]);
  });
});

describe('interrupt', () => {
  it('is up while a byte waits, with an edge for each byte', () => {
    kbc.receiveScancode(0x1c);
    kbc.receiveScancode(0x32);
    expect([irq.level, irq.risingEdges]).toEqual([1, 1]);
    data();
    expect([irq.level, irq.risingEdges]).toEqual([1, 2]);
    data();
    expect([irq.level, irq.risingEdges]).toEqual([0, 2]);
  });

  it('needs bit 0 of the command byte', () => {
    command(0x60, 0x40);
    kbc.receiveScancode(0x1c);
    expect([irq.level, status() & 1]).toEqual([0, 1]);
    command(0x60, 0x41);
    expect(irq.level).toBe(1);
  });
});

describe('reset', () => {
  it('restores the power-on state and opens A20', () => {
    command(0xd1, 0xc1);
    command(0x60, 0x00);
    kbc.receiveScancode(0x1c);
    kbc.reset();
    expect([a20.at(-1), irq.level, status()]).toEqual([true, 0, 0x10]);
    command(0x20);
    expect(drain()).toEqual([0x41]);
  });
});
