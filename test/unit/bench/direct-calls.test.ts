import { describe, expect, it } from 'vitest';
import { directCalls } from '../../../src/bench/suite/probe-benchmarks.ts';

const HOME = new Map([
  ['kvmIoBusWrite', '/d/bus/io-bus.js'],
  ['emOut', '/d/emulate/em-io.js'],
]);

describe('directCalls', () => {
  it('makes a call through a table a call of the function itself', () => {
    expect(directCalls('vcpu.kvm.fn.kvmIoBusWrite(bus, 1);', '/d/emulate/pio.js', HOME)).toEqual({
      text: "import { kvmIoBusWrite as direct_kvmIoBusWrite } from '../bus/io-bus.js';\ndirect_kvmIoBusWrite(bus, 1);",
      calls: 1,
    });
  });

  it('imports nothing for a function of the same file', () => {
    expect(directCalls('fn.emOut(ctxt)', '/d/emulate/em-io.js', HOME)).toEqual({
      text: 'emOut(ctxt)',
      calls: 1,
    });
  });

  it('leaves calls of unknown functions alone', () => {
    expect(directCalls('x.fn.other(1)', '/d/bus/a.js', HOME)).toEqual({ text: 'x.fn.other(1)', calls: 0 });
  });
});
