/** KVM_GET_DIRTY_LOG: which stores mark a page, and which do not. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { orThrow } from '../../../src/kvm/or-throw.ts';
import type { Vm } from '../../../src/kvm/vm.ts';
import { EINVAL, ENOENT } from '../../../src/uapi/errno.ts';
import {
  KVM_EXIT_IO,
  KVM_MEM_LOG_DIRTY_PAGES,
  KVM_MEM_READONLY,
  type KvmRegs,
} from '../../../src/uapi/kvm.ts';
import { CODE, LogBus, type Machine, RAM, realMachine } from './real-machine.ts';

const PAGE = 4096;
const RAM_SLOT = { slot: 0, flags: KVM_MEM_LOG_DIRTY_PAGES, guest_phys_addr: 0, memory_size: RAM };

function pagesOf(bitmap: Uint8Array): number[] {
  const pages: number[] = [];
  for (let page = 0; page < bitmap.length * 8; page++)
    if ((bitmap[page >> 3] & (1 << (page & 7))) !== 0) pages.push(page);
  return pages;
}

function log(vm: Vm, slot = 0): number[] {
  return pagesOf(orThrow(vm.getDirtyLog(slot), 'KVM_GET_DIRTY_LOG'));
}

function logged(code: string, regs: Partial<KvmRegs> = {}): Machine {
  const machine = realMachine(code, regs);
  expect(machine.vm.setUserMemoryRegion(RAM_SLOT)).toBe(0);
  return machine;
}

describe('the dirty log', () => {
  it.each<[string, string, Partial<KvmRegs>, number[]]>([
    ['MOV', 'a2 00 50', {}, [5]],
    ['a read alone', 'a0 00 50', {}, []],
    ['a word across two pages', 'a3 ff 5f', {}, [5, 6]],
    ['XCHG with memory', '87 1e 00 50', {}, [5]],
    ['ADD to memory', '00 06 00 50', {}, [5]],
    ['PUSH', '50', { esp: 0x4002 }, [4]],
    ['CALL', 'e8 00 00', { esp: 0x4002 }, [4]],
    ['PUSHA across two pages', '60', { esp: 0x4004 }, [3, 4]],
    ['the frame of an exception', 'f7 f1', { esp: 0x4006, ecx: 0 }, [4]],
    ['the frame of INT n', 'cd 21', { esp: 0x4002 }, [3, 4]],
    ['REP STOSB across two pages', 'f3 aa', { edi: 0x5ff0, ecx: 0x20 }, [5, 6]],
    ['REP MOVSW', 'f3 a5', { esi: 0x2000, edi: 0x5000, ecx: 4 }, [5]],
    [
      'REP INSB from an in-kernel device, across two pages',
      'f3 6c',
      { edx: 0x40, edi: 0x4ffe, ecx: 4 },
      [4, 5],
    ],
    ['REP INSW, downward', 'fd f3 6d', { edx: 0x40, edi: 0x5000, ecx: 2 }, [4, 5]],
    ['REP OUTSB alone', 'f3 6e', { edx: 0x80, esi: 0x5000, ecx: 4 }, []],
  ])('holds the pages of %s', (_, code, regs, pages) => {
    const { vm, vcpu } = logged(code, regs);
    vcpu.userspace = new LogBus(vm);
    expect(vcpu.kvmRun()).toBe(0);
    expect(log(vm)).toEqual(pages);
    expect(log(vm)).toEqual([]);
  });

  it('holds the pages of INS only when userspace has answered', () => {
    const { vm, vcpu } = logged('f3 6c', { edx: 0x3f8, edi: 0x5000, ecx: 4 });
    vcpu.kvmRun();
    expect([vcpu.run.exit_reason, log(vm)]).toEqual([KVM_EXIT_IO, []]);
    vcpu.kvmRun();
    expect(log(vm)).toEqual([5]);
  });

  it('begins anew when it is read: the next store marks the page again', () => {
    const { vm, vcpu } = logged('e6 80 fe 06 00 50 eb f8');
    const seen: number[][] = [];
    for (let i = 0; i < 4; i++) {
      vcpu.kvmRun();
      seen.push(log(vm));
    }
    expect(seen).toEqual([[], [5], [5], [5]]);
  });

  it('knows nothing of what the host writes, also to a page that the guest writes later', () => {
    const { vm, vcpu } = logged('a2 00 50');
    vm.memory.write(0x5000, Uint8Array.of(1));
    vm.memory.write(0x6000, Uint8Array.of(1));
    expect(log(vm)).toEqual([]);
    vcpu.kvmRun();
    expect(log(vm)).toEqual([5]);
  });

  it('counts pages from the first of its slot, outside the direct window too', () => {
    const { vm, vcpu } = realMachine('66 67 a3 00 10 10 00', {});
    const region = { slot: 3, flags: KVM_MEM_LOG_DIRTY_PAGES, guest_phys_addr: RAM, memory_size: 3 * PAGE };
    expect(vm.setUserMemoryRegion(region)).toBe(0);
    const sregs = vcpu.getSregs();
    sregs.ds.limit = 0xffff_ffff;
    vcpu.setSregs(sregs);
    vcpu.kvmRun();
    expect([log(vm, 3), vm.getDirtyLog(0)]).toEqual([[1], -ENOENT]);
  });

  it('is a whole number of 8-byte words', () => {
    const { vm } = logged('90');
    expect(orThrow(vm.getDirtyLog(0), 'KVM_GET_DIRTY_LOG').length).toBe(RAM / PAGE / 8);
    vm.setUserMemoryRegion({ slot: 1, flags: 1, guest_phys_addr: RAM, memory_size: 65 * PAGE });
    expect(orThrow(vm.getDirtyLog(1), 'KVM_GET_DIRTY_LOG').length).toBe(16);
  });

  it.each([
    ['no such slot', 7, -ENOENT],
    ['the largest slot number', 32763, -ENOENT],
    ['a number beyond it', 32764, -EINVAL],
    ['a negative number', -1, -EINVAL],
    ['half a number', 0.5, -EINVAL],
    ['not a number', Number.NaN, -EINVAL],
  ])('refuses %s', (_, slot, errno) => {
    expect(logged('90').vm.getDirtyLog(slot)).toBe(errno);
  });

  it('begins and ends by a change of flags, and goes with a slot that moves', () => {
    const { vm } = realMachine('90');
    const region = { slot: 5, flags: 0, guest_phys_addr: RAM, memory_size: 2 * PAGE };
    const log5 = (): number | number[] => {
      const r = vm.getDirtyLog(5);
      return typeof r === 'number' ? r : pagesOf(r);
    };
    const seen: unknown[] = [vm.setUserMemoryRegion(region), log5()];
    seen.push(vm.setUserMemoryRegion({ ...region, flags: KVM_MEM_LOG_DIRTY_PAGES }));
    vm.memory.writeByte(RAM + PAGE, 1);
    seen.push(
      vm.setUserMemoryRegion({ ...region, flags: KVM_MEM_LOG_DIRTY_PAGES, guest_phys_addr: 2 * RAM }),
    );
    seen.push(log5());
    vm.memory.writeByte(2 * RAM, 1);
    seen.push(log5(), vm.setUserMemoryRegion({ ...region, guest_phys_addr: 2 * RAM }), log5());
    expect(seen).toEqual([0, -ENOENT, 0, 0, [1], [0], 0, -ENOENT]);
  });

  it('does not come with a change of the read-only flag, nor with flags that do not exist', () => {
    const { vm } = realMachine('90');
    const both = KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY;
    expect(vm.setUserMemoryRegion({ ...RAM_SLOT, flags: both })).toBe(-EINVAL);
    expect(vm.setUserMemoryRegion({ ...RAM_SLOT, flags: 4 | KVM_MEM_LOG_DIRTY_PAGES })).toBe(-EINVAL);
    expect(vm.getDirtyLog(0)).toBe(-ENOENT);
  });

  it('and what memory differs in name the same pages, for random stores of every kind', () => {
    // Each fragment stores ones where zeros are, at an address of its own.
    const fragments = fc.array(
      fc.tuple(
        fc.constantFrom(
          'aa',
          'ab',
          '66 ab',
          'b9 05 00 f3 aa',
          'b9 03 00 f3 ab',
          '6c',
          '6d',
          'b9 04 00 f3 6d',
        ),
        fc.integer({ min: 0x8000, max: 0xffc0 }),
        fc.boolean(),
      ),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(fragments, (list) => {
        const code = list.map(([op, di, isReading]) => {
          const at = `bf ${(di & 0xff).toString(16).padStart(2, '0')} ${(di >> 8).toString(16)}`;
          return `${at} ${op} ${isReading ? '8a 1e 00 90' : ''}`;
        });
        const { vm, vcpu } = logged(code.join(' '), { eax: 0xffff_ffff, edx: 0x2000 });
        vcpu.userspace = new LogBus(vm);
        const before = vm.memory.ram.slice();
        vcpu.kvmRun();
        expect(vcpu.getRegs().eip).toBeGreaterThan(CODE);
        const differ: number[] = [];
        for (let page = 0; page < RAM / PAGE; page++) {
          const at = page * PAGE;
          if (Buffer.compare(before.subarray(at, at + PAGE), vm.memory.ram.subarray(at, at + PAGE)) !== 0)
            differ.push(page);
        }
        expect(log(vm)).toEqual(differ);
      }),
      { numRuns: 100 },
    );
  });
});
