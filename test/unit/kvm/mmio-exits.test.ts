import { describe, expect, it } from 'vitest';
import type { IoDevice } from '../../../src/bus/io-device.ts';
import { EINTR } from '../../../src/uapi/errno.ts';
import {
  KVM_EXIT_HLT,
  KVM_EXIT_INTERNAL_ERROR,
  KVM_EXIT_IO,
  KVM_EXIT_MMIO,
  KVM_EXIT_SHUTDOWN,
  KVM_MEM_READONLY,
  KVM_MMIO_BUS,
  type KvmRegs,
} from '../../../src/uapi/kvm.ts';
import { EXIT_REASON_EPT_VIOLATION, EXIT_REASON_TRIPLE_FAULT } from '../../../src/uapi/vmx.ts';
import { bytesOf, CODE, handlerEnd, type Machine, realMachine } from './real-machine.ts';

const HOLE = 0x20_0000;
const TF = 0x100;
const DF = 0x400;

/** A machine whose DS, ES and, on demand, SS lie in a hole; its embedder takes every exit. */
function holeMachine(code: string, regs: Partial<KvmRegs> = {}, bases: Record<string, number> = {}): Machine {
  const machine = realMachine(code, regs, { devices: false });
  const sregs = machine.vcpu.getSregs();
  for (const [name, base] of Object.entries({ ds: HOLE, es: HOLE, ...bases })) {
    sregs[name as 'ds' | 'es' | 'ss'].base = base;
  }
  machine.vcpu.setSregs(sregs);
  return machine;
}

/** Runs to the next exit: `r ADDR LEN` or `w ADDR DATA` of KVM_EXIT_MMIO, `io …`, else the exit reason. */
function next({ vcpu }: Machine): string {
  expect(vcpu.kvmRun()).toBe(0);
  const { run } = vcpu;
  if (run.exit_reason === KVM_EXIT_IO) return `io ${run.io.direction} ${run.io.port.toString(16)}`;
  if (run.exit_reason !== KVM_EXIT_MMIO) return String(run.exit_reason);
  const { phys_addr, len, is_write, data } = run.mmio;
  const at = phys_addr.toString(16);
  return is_write !== 0 ? `w ${at} ${Buffer.from(data.subarray(0, len)).toString('hex')}` : `r ${at} ${len}`;
}

/** As {@link next} to the HLT; reads are answered from `answer`. */
function all(machine: Machine, answer: string): string[] {
  const bytes = bytesOf(answer);
  const seen: string[] = [];
  let at = 0;
  for (let i = 0; i < 100; i++) {
    const exit = next(machine);
    if (exit === String(KVM_EXIT_HLT)) return seen;
    seen.push(exit);
    const { mmio } = machine.vcpu.run;
    if (exit.startsWith('r')) for (let k = 0; k < mmio.len; k++) mmio.data[k] = bytes[at++] ?? 0;
  }
  return seen;
}

describe('a read from a hole', () => {
  it('leaves with nothing changed and finishes on the next KVM_RUN', () => {
    const m = holeMachine('a10000', { eax: 0x1122_3344 }); // mov ax,[0]
    expect(next(m)).toBe('r 200000 2');
    expect(m.vcpu.getRegs()).toMatchObject({ eax: 0x1122_3344, eip: CODE });
    m.vcpu.run.mmio.data.set([0xef, 0xbe]);
    expect(next(m)).toBe(String(KVM_EXIT_HLT));
    expect(m.vcpu.getRegs()).toMatchObject({ eax: 0x1122_beef, eip: CODE + 4 });
    expect([m.vcpu.stat.mmio_exits, m.vcpu.stat.insn_emulation, m.vm.clock.ticks]).toEqual([1, 1, 2]);
    // That of the access and that of the HLT.
    expect(m.vcpu.stat.exits).toBe(2);
  });

  it('is completed by a KVM_RUN with immediate_exit, which runs nothing else', () => {
    const m = holeMachine('a1000040', { eax: 0 });
    next(m);
    m.vcpu.run.mmio.data.set([5, 0]);
    m.vcpu.run.immediate_exit = 1;
    expect(m.vcpu.kvmRun()).toBe(-EINTR);
    expect(m.vcpu.getRegs()).toMatchObject({ eax: 5, eip: CODE + 3 });
  });

  it('finds zeros where userspace does not answer', () => {
    const m = holeMachine('a10000', { eax: 0xffff });
    next(m);
    next(m);
    expect(m.vcpu.getRegs().eax).toBe(0);
  });

  it('finds zeros also where the page of KVM_RUN held something else', () => {
    const m = holeMachine('a10000', { eax: 0xffff });
    m.vcpu.run.mmio.data.fill(0x77);
    expect(next(m)).toBe('r 200000 2');
    expect([...m.vcpu.run.mmio.data]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    next(m);
    expect(m.vcpu.getRegs().eax).toBe(0);
  });

  it('finds zeros also where a write has left before', () => {
    const m = holeMachine('a30000a10000', { eax: 0xbeef }); // mov [0],ax; mov ax,[0]
    expect([next(m), next(m)]).toEqual(['w 200000 efbe', 'r 200000 2']);
    expect([...m.vcpu.run.mmio.data]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });

  it('takes as many bytes from userspace as it has asked for', () => {
    const m = holeMachine('a10000', { eax: 0 });
    next(m);
    m.vcpu.run.mmio.data.fill(0x77);
    next(m);
    expect([...m.vcpu.mmioRequest.readData.subarray(0, 8)]).toEqual([0x77, 0x77, 0, 0, 0, 0, 0, 0]);
  });

  it('whose instruction ends in a triple fault counts that exit too', () => {
    const m = holeMachine('f6360000'); // div byte [0]
    const sregs = m.vcpu.getSregs();
    sregs.idt.limit = 0;
    m.vcpu.setSregs(sregs);
    expect([next(m), next(m)]).toEqual(['r 200000 1', String(KVM_EXIT_SHUTDOWN)]);
    const { exits, byReason, mmio_exits } = m.vcpu.stat;
    expect([exits, mmio_exits]).toEqual([2, 1]);
    expect([byReason[EXIT_REASON_EPT_VIOLATION], byReason[EXIT_REASON_TRIPLE_FAULT]]).toEqual([1, 1]);
  });

  it('cannot be completed where userspace has taken the code away meanwhile', () => {
    const m = holeMachine('a10000');
    expect(next(m)).toBe('r 200000 2');
    expect(m.vm.setUserMemoryRegion({ slot: 0, flags: 0, guest_phys_addr: 0, memory_size: 0 })).toBe(0);
    expect(next(m)).toBe(String(KVM_EXIT_INTERNAL_ERROR));
    expect(m.vcpu.internalErrorMessage).toContain('instruction fetch from 0x7c00');
    expect(m.vcpu.stat.mmio_exits).toBe(1);
  });

  it('that crosses a page is two exits, of 3 bytes too', () => {
    const m = holeMachine('66a1ff0f', { eax: 0 }); // mov eax,[0xfff]
    expect(all(m, '11223344')).toEqual(['r 200fff 1', 'r 201000 3']);
    expect(m.vcpu.getRegs().eax).toBe(0x4433_2211);
  });

  it('that begins in memory leaves for the rest only', () => {
    const m = holeMachine('66a1fe00', { eax: 0 }, { ds: 0xf_ff00 });
    m.vm.memory.write(0xf_fffe, Uint8Array.of(0xaa, 0xbb));
    expect(all(m, 'ccdd')).toEqual(['r 100000 2']);
    expect(m.vcpu.getRegs().eax).toBe(0xddcc_bbaa);
  });

  it('keeps what userspace did to RIP and EFLAGS from the instruction, and takes other registers as they are', () => {
    const m = holeMachine('020600009c', { eax: 0x0101 }); // add al,[0]; pushf
    next(m);
    m.vcpu.run.mmio.data[0] = 0xff;
    m.vcpu.setRegs({ ...m.vcpu.getRegs(), eip: 0x500, eflags: 0x8d7, eax: 0x0202 });
    next(m);
    expect(m.vcpu.getRegs()).toMatchObject({ eax: 0x0201, eip: CODE + 6 });
    expect(m.vcpu.getRegs().eflags & 1).toBe(1);
  });

  it('is not disturbed by an NMI that comes meanwhile', () => {
    const m = holeMachine('a10000', { eax: 0 });
    next(m);
    m.vcpu.run.mmio.data.set([7, 0]);
    expect(m.vcpu.nmi()).toBe(0);
    next(m);
    expect(m.vcpu.getRegs()).toMatchObject({ eax: 7, eip: handlerEnd(2) });
    expect([...m.vm.memory.read(0x7000 - 6, 2)]).toEqual([(CODE + 3) & 0xff, CODE >> 8]);
    expect(m.vcpu.stat.nmi_injections).toBe(1);
  });
});

describe('a write to a hole', () => {
  it('is committed before userspace sees it, and its tick passes on the next KVM_RUN', () => {
    const m = holeMachine('a30400', { eax: 0xbeef }); // mov [4],ax
    expect(next(m)).toBe('w 200004 efbe');
    expect([m.vcpu.getRegs().eip, m.vm.clock.ticks]).toEqual([CODE + 3, 0]);
    expect(next(m)).toBe(String(KVM_EXIT_HLT));
    expect(m.vm.clock.ticks).toBe(2);
  });

  it('shows its own bytes, not those of an earlier one', () => {
    const m = holeMachine('66a30000a30000', { eax: 0x1234_5678 }); // mov [0],eax; mov [0],ax
    expect([next(m), next(m)]).toEqual(['w 200000 78563412', 'w 200000 7856']);
    expect([...m.vcpu.run.mmio.data]).toEqual([0x78, 0x56, 0, 0, 0, 0, 0, 0]);
  });

  it('takes nothing from userspace', () => {
    const m = holeMachine('a30000', { eax: 0xbeef });
    next(m);
    m.vcpu.run.mmio.data.fill(0x77);
    next(m);
    expect(m.vcpu.mmioRequest.readData.every((byte) => byte === 0)).toBe(true);
  });

  it('to a read-only slot leaves the slot alone; reads do not leave', () => {
    const m = holeMachine('a20000a00000', { eax: 0x44 });
    const mem = new Uint8Array(4096).fill(0x5a);
    const rom = { slot: 1, flags: KVM_MEM_READONLY, guest_phys_addr: HOLE, memory_size: 4096, mem };
    expect(m.vm.setUserMemoryRegion(rom)).toBe(0);
    expect(all(m, '')).toEqual(['w 200000 44']);
    expect([mem[0], m.vcpu.getRegs().eax & 0xff]).toEqual([0x5a, 0x5a]);
  });

  it('loses the single-step trap, as in KVM; a read does not', () => {
    const write = holeMachine('a20000', { eflags: TF | 2 });
    next(write);
    expect(write.vcpu.getRegs().eip).toBe(CODE + 3);
    expect([next(write), next(write)]).toEqual([String(KVM_EXIT_HLT), String(KVM_EXIT_HLT)]);
    // The next trap is that of the HLT behind it.
    expect([...write.vm.memory.read(0x7000 - 6, 2)]).toEqual([(CODE + 4) & 0xff, CODE >> 8]);
    const read = holeMachine('a00000', { eflags: TF | 2 });
    next(read);
    next(read);
    expect(read.vcpu.getRegs().eip).toBe(handlerEnd(1));
  });
});

// biome-ignore format: one instruction a line.
const ROWS: [string, string, string, string[], Partial<KvmRegs>][] = [
  ['inc word [0]', 'ff060000', 'ff00', ['r 200000 2', 'w 200000 0001'], {}],
  ['xchg [0],al', '86060000', '77', ['r 200000 1', 'w 200000 34'], { eax: 0x1277 }],
  ['add [2],ax', '01060200', '0100', ['r 200002 2', 'w 200002 3512'], {}],
  ['movsw', 'a5', '5566', ['r 200010 2', 'w 200020 5566'], { esi: 0x12, edi: 0x22 }],
  ['cmpsb', 'a6', '4141', ['r 200010 1', 'r 200020 1'], { esi: 0x11, edi: 0x21 }],
  ['rep stosb', 'f3aa', '', ['w 200020 34', 'w 200021 34', 'w 200022 34'], { ecx: 0, edi: 0x23 }],
  ['rep lodsb', 'f3ac', '0a0b0c', ['r 200010 1', 'r 200011 1', 'r 200012 1'], { ecx: 0, eax: 0x120c }],
  ['push word [0]', 'ff360000', '99aa', ['r 200000 2'], { esp: 0x6ffe }],
  ['cmpxchg8b [8]', '0fc70e0800', '3412000000000000', ['r 200008 8', 'w 200008 0300000003000000'], { eax: 0x1234 }],
  ['cmpxchg8b [8], not equal', '0fc70e0800', '1111111122222222', ['r 200008 8', 'w 200008 1111111122222222'], { eax: 0x1111_1111, edx: 0x2222_2222 }],
  ['cmpxchg8b across a page', '0fc70efc0f', '3412000000000000', ['r 200ffc 4', 'r 201000 4', 'w 200ffc 03000000', 'w 201000 03000000'], {}],
];

describe('instructions on a hole', () => {
  it.each(ROWS)('%s', (_name, code, answer, exits, regs) => {
    const start = { eax: 0x1234, ebx: 3, ecx: 3, edx: 0, esi: 0x10, edi: 0x20 };
    const m = holeMachine(code, start);
    expect(all(m, answer)).toEqual(exits);
    expect(m.vcpu.getRegs()).toMatchObject(regs);
    // A board that answers at once leaves the same behind, at the same time.
    const onBoard = holeMachine(code, start);
    const bytes = [...bytesOf(answer)];
    onBoard.vcpu.userspaceMmio = {
      read: (_addr, size) => bytes.splice(0, size).reduceRight((value, byte) => value * 256 + byte, 0),
      write() {},
    };
    expect(all(onBoard, '')).toEqual([]);
    expect(onBoard.vcpu.getRegs()).toEqual(m.vcpu.getRegs());
    expect(onBoard.vm.clock.ticks).toBe(m.vm.clock.ticks);
  });

  it('read each slot of POPA once and write each slot of PUSHA', () => {
    const m = holeMachine('6160', {}, { ss: HOLE }); // popa; pusha
    const exits = all(m, '07000600050004000300020001000000');
    expect(exits.slice(0, 8)).toEqual(
      Array.from({ length: 8 }, (_, i) => `r ${(HOLE + 0x7000 + 2 * i).toString(16)} 2`),
    );
    expect(exits.slice(8)).toHaveLength(8);
    expect(exits[8]).toBe('w 20700e 0000');
    expect(m.vcpu.getRegs()).toMatchObject({
      edi: 7,
      esi: 6,
      ebp: 5,
      ebx: 3,
      edx: 2,
      ecx: 1,
      eax: 0,
      esp: 0x7000,
    });
  });

  it('go through in-kernel devices first, whose reads are made once', () => {
    const m = holeMachine('a5', { esi: 0, edi: 0x20 }, {}); // movsw
    let reads = 0;
    const device: IoDevice = { name: 'mmio', read: () => 0x100 + ++reads, write: () => false };
    m.vm.fn.kvmIoBusRegisterDev(m.vm.buses[KVM_MMIO_BUS], HOLE, 0x10, device);
    const crossing = holeMachine('0fc70e0800', { eax: 0 });
    expect(all(m, '')).toEqual(['w 200020 0101']);
    expect([reads, m.vcpu.stat.mmio_exits]).toEqual([1, 1]);
    expect(all(crossing, '')).toHaveLength(2);
  });

  it('make one 8-byte access of CMPXCHG8B on a device that has it', () => {
    const m = holeMachine('0fc70e0000', { eax: 1, edx: 2, ebx: 3, ecx: 4 });
    const data = Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0);
    const log: string[] = [];
    const device: IoDevice = {
      name: 'wide',
      read: () => -1,
      write: () => false,
      read64: (_addr, out) => {
        out.set(data);
        log.push('read64');
        return true;
      },
      write64: (_addr, bytes) => {
        log.push(`write64 ${Buffer.from(bytes).toString('hex')}`);
        return true;
      },
    };
    m.vm.fn.kvmIoBusRegisterDev(m.vm.buses[KVM_MMIO_BUS], HOLE, 8, device);
    expect(all(m, '')).toEqual([]);
    expect(log).toEqual(['read64', 'write64 0300000004000000']);
  });

  it('cannot be fetched: KVM_EXIT_INTERNAL_ERROR', () => {
    const m = realMachine('', {}, { devices: false });
    const sregs = m.vcpu.getSregs();
    sregs.cs.base = HOLE;
    m.vcpu.setSregs(sregs);
    expect(next(m)).toBe(String(KVM_EXIT_INTERNAL_ERROR));
    expect(m.vcpu.internalErrorMessage).toContain('instruction fetch from 0x207c00');
  });
});

describe('INS and OUTS on a hole', () => {
  it('INS commits its registers, then leaves', () => {
    const m = holeMachine('6d', { edx: 0x80, edi: 0x10 }); // insw
    expect(next(m)).toBe('io 0 80');
    m.vcpu.run.pioData.set([0x34, 0x12]);
    expect(next(m)).toBe('w 200010 3412');
    expect(m.vcpu.getRegs()).toMatchObject({ edi: 0x12, eip: CODE + 1 });
    expect(next(m)).toBe(String(KVM_EXIT_HLT));
  });

  it('INS is counted as an exit, and loses the single-step trap', () => {
    const m = holeMachine('6d', { edx: 0x80, edi: 0x10, eflags: TF | 2 }); // insw
    expect([next(m), next(m)]).toEqual(['io 0 80', 'w 200010 0000']);
    expect([m.vcpu.stat.mmio_exits, m.vcpu.getRegs().eip]).toEqual([1, CODE + 1]);
    next(m);
    // The next trap is that of the HLT behind it.
    expect(m.vcpu.getRegs().eip).toBe(CODE + 2);
  });

  it('REP INS downwards leaves after each element, those behind it still to be stored', () => {
    const m = holeMachine('f36c', { edx: 0x80, edi: 0x12, ecx: 3, eflags: DF | 2 });
    expect([next(m), m.vcpu.run.io.count]).toEqual(['io 0 80', 3]);
    m.vcpu.run.pioData.set([1, 2, 3]);
    expect(next(m)).toBe('w 200012 01');
    expect(m.vcpu.getRegs()).toMatchObject({ ecx: 2, edi: 0x11, eip: CODE });
  });

  it('INS is not taken for the instruction before it, which left as well', () => {
    const m = holeMachine('a200006c', { edx: 0x80, edi: 0x10, eax: 0x44 }); // mov [0],al; insb
    expect([next(m), next(m)]).toEqual(['w 200000 44', 'io 0 80']);
  });

  it('a block of REP INS leaves in pieces of eight bytes, a page at a time', () => {
    const m = holeMachine('f36c', { edx: 0x80, edi: 0xff0, ecx: 16 + 12 });
    next(m);
    expect([m.vcpu.run.io.count, m.vcpu.getRegs().ecx]).toEqual([16, 28]);
    m.vcpu.run.pioData.set(Array.from({ length: 16 }, (_, i) => i));
    expect(next(m)).toBe('w 200ff0 0001020304050607');
    expect(m.vcpu.getRegs()).toMatchObject({ ecx: 12, edi: 0x1000, eip: CODE });
    expect(next(m)).toBe('w 200ff8 08090a0b0c0d0e0f');
    expect(next(m)).toBe('io 0 80');
    m.vcpu.run.pioData.fill(0x55, 0, 12);
    expect([next(m), next(m), next(m)]).toEqual([
      'w 201000 5555555555555555',
      'w 201008 55555555',
      String(KVM_EXIT_HLT),
    ]);
  });

  it('a block of REP INS leaves only with what no in-kernel device has taken', () => {
    const m = holeMachine('f36c', { edx: 0x80, edi: 0, ecx: 20 });
    const taken: string[] = [];
    const device: IoDevice = {
      name: 'wide',
      read: () => -1,
      write: () => false,
      write64: (addr, bytes) => {
        taken.push(`${addr.toString(16)} ${Buffer.from(bytes).toString('hex')}`);
        return true;
      },
    };
    m.vm.fn.kvmIoBusRegisterDev(m.vm.buses[KVM_MMIO_BUS], HOLE, 8, device);
    next(m);
    m.vcpu.run.pioData.set(Array.from({ length: 20 }, (_, i) => i));
    expect([next(m), next(m)]).toEqual(['w 200008 08090a0b0c0d0e0f', 'w 200010 10111213']);
    expect(taken).toEqual(['200000 0001020304050607']);
    expect(next(m)).toBe(String(KVM_EXIT_HLT));
  });

  it('OUTS reads first, and the port sees nothing before the answer', () => {
    const m = holeMachine('6e', { edx: 0x80, esi: 4 });
    expect(next(m)).toBe('r 200004 1');
    expect(m.vcpu.getRegs()).toMatchObject({ esi: 4, eip: CODE });
    m.vcpu.run.mmio.data[0] = 0x99;
    expect(next(m)).toBe('io 1 80');
    expect([m.vcpu.run.pioData[0], m.vcpu.getRegs().esi]).toEqual([0x99, 5]);
    expect(next(m)).toBe(String(KVM_EXIT_HLT));
  });

  it('OUTS takes EFLAGS as they were when it left, not as userspace has set them', () => {
    const m = holeMachine('6e', { edx: 0x80, esi: 4, eflags: 3 });
    next(m);
    m.vcpu.setRegs({ ...m.vcpu.getRegs(), eflags: 2 });
    expect(next(m)).toBe('io 1 80');
    expect(m.vcpu.getRegs()).toMatchObject({ eflags: 3, eip: CODE + 1 });
  });

  it('REP OUTS to an in-kernel device reads each element once', () => {
    const m = realMachine('f36e', { edx: 0x42, ecx: 3 });
    const sregs = m.vcpu.getSregs();
    sregs.ds.base = HOLE;
    m.vcpu.setSregs(sregs);
    expect(all(m, '010203')).toEqual(['r 200000 1', 'r 200001 1', 'r 200002 1']);
    expect(m.vcpu.getRegs()).toMatchObject({ ecx: 0, esi: 3 });
  });
});
