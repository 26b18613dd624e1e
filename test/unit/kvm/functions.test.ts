import { describe, expect, it } from 'vitest';
import { KVM_FUNCTIONS, tracedFunctions } from '../../../src/kvm/functions.ts';
import { LogBus, type MachineOptions, realMachine } from './real-machine.ts';

/** The call chain of a program, nested calls indented by `>`. */
function callsOf(code: string, regs = {}, options: MachineOptions = {}): string[] {
  const calls: string[] = [];
  let depth = 0;
  const hooks = {
    enter: (name: string): void => {
      calls.push('>'.repeat(depth) + name);
      depth++;
    },
    leave: (): void => {
      depth--;
    },
  };
  const { vm, vcpu } = realMachine(code, regs, options);
  vcpu.userspace = new LogBus(vm);
  vm.setHooks(hooks);
  vcpu.kvmRun();
  vm.setHooks(null);
  expect(depth).toBe(0);
  return calls;
}

/** Calls from the first of `name` to the last one nested in it. */
function under(calls: string[], name: string): string[] {
  const from = calls.findIndex((call) => call.replace(/>/g, '') === name);
  const depth = calls[from].length - name.length;
  const len = calls.slice(from + 1).findIndex((call) => call.lastIndexOf('>') + 1 <= depth);
  return calls.slice(from, len < 0 ? undefined : from + 1 + len).map((call) => call.slice(depth));
}

describe('the chain of an access', () => {
  it('A: OUT to a kernel device', () => {
    expect(under(callsOf('e621'), 'handleIo')).toEqual([
      'handleIo',
      '>kvmFastPio',
      '>>kvmFastPioOut',
      '>>>emulatorPioOut',
      '>>>>emulatorPioInOut',
      '>>>>>kernelPio',
      '>>>>>>kvmIoBusWrite',
      '>>>>>>>__kvmIoBusWrite',
      '>>>>>>>>kvmIoBusGetFirstDev',
      '>>>>>>>>kvmIodeviceWrite',
      '>>>>>>>>>picdevMasterWrite',
      '>>>>>>>>>>picdevWrite',
      '>>>>>>>>>>>picIoportWrite',
      ...under(callsOf('e621'), 'picIoportWrite')
        .slice(1)
        .map((call) => `>>>>>>>>>>>${call}`),
      '>>kvmSkipEmulatedInstruction',
    ]);
  });

  it('C: IN from a kernel device', () => {
    const calls = under(callsOf('e440'), 'handleIo');
    expect(calls.slice(0, 10)).toEqual([
      'handleIo',
      '>kvmFastPio',
      '>>kvmFastPioIn',
      '>>>emulatorPioIn',
      '>>>>emulatorPioInOut',
      '>>>>>kernelPio',
      '>>>>>>kvmIoBusRead',
      '>>>>>>>__kvmIoBusRead',
      '>>>>>>>>kvmIoBusGetFirstDev',
      '>>>>>>>>kvmIodeviceRead',
    ]);
    expect(calls.at(-1)).toBe('>>kvmSkipEmulatedInstruction');
  });

  it('D: IN from userspace is completed on the next run', () => {
    const calls = callsOf('e480').map((call) => call.replace(/>/g, ''));
    const from = calls.indexOf('completeFastPioIn');
    expect(calls.slice(from, from + 3)).toEqual([
      'completeFastPioIn',
      'completeEmulatorPioIn',
      'kvmSkipEmulatedInstruction',
    ]);
  });

  it('E: OUTS to a kernel device', () => {
    expect(under(callsOf('6e', { edx: 0x61 }), 'handleIo').slice(0, 14)).toEqual([
      'handleIo',
      '>kvmEmulateInstruction',
      '>>x86EmulateInstruction',
      '>>>x86DecodeEmulatedInstruction',
      '>>>x86EmulateInsn',
      '>>>>checkPermOut',
      '>>>>>emulatorIoPermitted',
      '>>>>emOut',
      '>>>>>emulatorPioOutEmulated',
      '>>>>>>emulatorPioOut',
      '>>>>>>>emulatorPioInOut',
      '>>>>>>>>kernelPio',
      '>>>>>>>>>kvmIoBusWrite',
      '>>>>>>>>>>__kvmIoBusWrite',
    ]);
  });

  it('H: INS from userspace runs emIn again when the answer is there', () => {
    const calls = callsOf('6c', { edx: 0x80 }).map((call) => call.replace(/>/g, ''));
    const from = calls.indexOf('completeEmulatedPio');
    expect(calls.slice(from, from + 10)).toEqual([
      'completeEmulatedPio',
      'completeEmulatedIo',
      'kvmEmulateInstruction',
      'x86EmulateInstruction',
      'x86EmulateInsn',
      'checkPermIn',
      'emulatorIoPermitted',
      'emIn',
      'pioInEmulated',
      'emulatorPioInEmulated',
    ]);
  });
});

describe('tracedFunctions', () => {
  it('tells arguments and results of every entry, and changes neither', () => {
    const seen: unknown[] = [];
    const table = { add: (a: number, b: number): number => a + b };
    const traced = tracedFunctions(table, {
      enter: (name, args) => seen.push(name, args),
      leave: (name, retval) => seen.push(name, retval),
    });
    expect(traced.add(2, 3)).toBe(5);
    expect(seen).toEqual(['add', [2, 3], 'add', 5]);
  });

  it('leaves the plain table in force once the probes are gone', () => {
    const { vm, vcpu } = realMachine('');
    vm.setHooks({ enter: () => {}, leave: () => {} });
    expect([vcpu.fn === KVM_FUNCTIONS, vcpu.observed]).toEqual([false, 1]);
    vm.setHooks(null);
    expect([vcpu.fn, vm.buses[1].fn, vcpu.observed]).toEqual([KVM_FUNCTIONS, KVM_FUNCTIONS, 0]);
  });
});
