import { describe, expect, it } from 'vitest';
import { createKvmDevices } from '../../../src/boards/kvm.ts';
import { GuestDiff, type GuestDiffResult } from '../../../src/diff/diff-guest.ts';
import { GuestSide } from '../../../src/diff/guest-side.ts';
import { Pio86Engine, type Pio86EngineOptions } from '../../../src/diff/pio86-engine.ts';
import { guestText } from '../../../src/diff/report.ts';
import { TimeMask } from '../../../src/diff/time-mask.ts';
import { KVM_FUNCTIONS } from '../../../src/kvm/functions.ts';
import { loadImage } from '../../../src/loaders/load.ts';
import { planRaw } from '../../../src/loaders/raw.ts';

const LOAD_AT = 0x1000;

/** The same code on pio86 twice, the right-hand side changed. */
function diff(hex: string, change: Partial<Pio86EngineOptions> = {}, maxExits = 1000): GuestDiffResult {
  const bytes = Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
  const time = new TimeMask();
  const options = { forceEmulation: true, sliceTicks: 20_000 };
  const engine = new Pio86Engine({ ...options, keepPaths: true, tracepoints: time, ...change });
  const plan = { name: 'kvm', createDevices: createKvmDevices };
  const onAlarm = (): void => time.start('alarm');
  const sides = [new Pio86Engine(options), engine].map(
    (e) =>
      new GuestSide(e, plan, { memoryBytes: 0x2_0000, input: Uint8Array.of(0x71), onAsyncAlarm: onAlarm }),
  );
  const [host, own] = sides;
  if (host === undefined || own === undefined) throw new Error('two sides');
  for (const side of sides) loadImage(side.vmm.loadTarget, planRaw({ name: 'test', bytes }, LOAD_AT));
  let looks = 0;
  const limits = { maxExits, isDone: () => ++looks > 30 };
  return new GuestDiff(host, own, time, () => engine.paths, limits).run();
}

/** mov dx,0x3f8; mov al,'H'; out dx,al; in al,0x10; cli; hlt */
const HELLO = 'ba f8 03 b0 48 ee e4 10 fa f4';

describe('a guest on two engines', () => {
  it('has no difference from itself, its end and serial text included', () => {
    const result = diff(HELLO);
    expect(result).toMatchObject({
      status: 'same',
      reason: 'halted',
      exits: 2,
      timeReason: null,
      serialText: 'H',
    });
    expect(result.masked.size).toBe(0);
  });

  it('shows the first exit that differs, with registers, instruction and function path', () => {
    const emulatorPioOut: typeof KVM_FUNCTIONS.emulatorPioOut = (vcpu, size, port, val, count) =>
      KVM_FUNCTIONS.emulatorPioOut(vcpu, size, port ^ 1, val, count);
    const result = diff(HELLO, { functions: { emulatorPioOut } });
    expect(result.status).toBe('different');
    expect(result.difference?.where).toBe('exit 1');
    expect(result.difference?.fields).toContainEqual({ field: 'port', host: '0x3f8', pio86: '0x3f9' });
    const text = guestText('hello', result);
    expect(text).toContain('em_out()');
    expect(text).toContain('at CS:EIP: host in al,0x10, pio86 in al,0x10');
  });

  it('finds what no exit shows, in the final memory', () => {
    // xor di,di; mov es,di; mov di,0x4000; in al,0x10 by insb dx = 0x10; cli; hlt
    const completeEmulatorPioIn: typeof KVM_FUNCTIONS.completeEmulatorPioIn = (vcpu, val) => {
      KVM_FUNCTIONS.completeEmulatorPioIn(vcpu, val);
      val[0] ^= 1;
    };
    const result = diff('bf 00 40 ba 10 00 6c fa f4', { functions: { completeEmulatorPioIn } });
    expect(result.difference).toMatchObject({ where: 'final state' });
    expect(result.difference?.fields.map(({ field }) => field)).toEqual(['memory at 0x4000']);
  });

  it('compares a guest that reads the PIT by order only, and counts what it leaves out', () => {
    // in al,0x40; out 0x80,al; out 0x81,al; out 0x81,al; cli; hlt
    const result = diff('e4 40 e6 80 e6 81 e6 81 fa f4');
    expect(result).toMatchObject({ status: 'same', exits: 0, orderOnlyExits: 3 });
    expect(result.timeReason).toContain('port 0x40 read');
    expect([...result.masked.keys()]).toEqual(expect.arrayContaining(['final registers', 'final memory']));
  });

  it('finds another order behind the mask', () => {
    const emulatorPioOut: typeof KVM_FUNCTIONS.emulatorPioOut = (vcpu, size, port, val, count) =>
      KVM_FUNCTIONS.emulatorPioOut(vcpu, size, port === 0x81 ? 0x82 : port, val, count);
    const result = diff('e4 40 e6 80 e6 81 fa f4', { functions: { emulatorPioOut } });
    expect(result.difference?.where).toContain('order of exits, place 2');
  });

  it('brings serial input to a guest that sleeps', () => {
    // IRQ 4 through a PIC in its power-on state is vector 4: its handler at 0x101d reads the byte and halts.
    const result = diff(
      'c7 06 10 00 1d 10 c7 06 12 00 00 00 ba f9 03 b0 01 ee b0 08 ba fc 03 ee fb f4 eb fd 90 ba f8 03 ec ee fa f4',
    );
    expect(result).toMatchObject({ status: 'same', reason: 'halted', serialText: 'q' });
  });

  it('stops at the limit of exits, and a loop without exits when time runs out', () => {
    expect(diff('e6 80 eb fc', {}, 50)).toMatchObject({ status: 'limit', exits: 50 });
    expect(diff('eb fe')).toMatchObject({ status: 'limit', reason: 'time ran out' });
  });
});
