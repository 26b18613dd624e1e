/**
 * Where generated code could go wrong beside its instructions: code that changes, moves or is named twice, observers that come in
 * the middle, runs that are cut anywhere. Each case runs on two boards, interpreted and with code generated at the first visit.
 */
import { describe, expect, it } from 'vitest';
import type { Board } from '../../../src/boards/board.ts';
import { boardDifferences } from '../../../src/boards/differences.ts';
import { createPcBoard } from '../../../src/boards/pc.ts';
import { kvmIoBusRegisterDev, kvmIoBusUnregisterDev } from '../../../src/bus/io-bus.ts';
import type { IoDevice } from '../../../src/bus/io-device.ts';
import { Jit } from '../../../src/jit/engine.ts';
import { Eventfd } from '../../../src/kvm/eventfd.ts';
import { AccessCounter } from '../../../src/trace/access-counter.ts';
import {
  KVM_EXIT_IO,
  KVM_IOEVENTFD_FLAG_DEASSIGN,
  KVM_IOEVENTFD_FLAG_PIO,
  KVM_PIO_BUS,
} from '../../../src/uapi/kvm.ts';
import { CPU_BASED_USE_IO_BITMAPS } from '../../../src/uapi/vmx.ts';

const CODE = 0x1000;
const TIMER_HANDLER = 0x700;
const TRAP_HANDLER = 0x720;

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replace(/\s/g, ''), 'hex'));

function start(board: Board, code: string): void {
  const { vm, vcpu } = board;
  vm.memory.write(CODE, bytes(code));
  // IRQ0 (vector 8): push ax; inc bp; mov al,20h; out 20h,al; pop ax; iret. #DB: inc si; iret.
  vm.memory.write(8 * 4, bytes('00070000'));
  vm.memory.write(TIMER_HANDLER, bytes('50 45 b020 e620 58 cf'));
  vm.memory.write(1 * 4, bytes('20070000'));
  vm.memory.write(TRAP_HANDLER, bytes('46 cf'));
  const sregs = vcpu.getSregs();
  sregs.cs.selector = 0;
  sregs.cs.base = 0;
  vcpu.setSregs(sregs);
  vcpu.setRegs({ ...vcpu.getRegs(), eip: CODE, esp: 0x800, eflags: 2, edx: 0x300 });
}

/** PIT channel 0 interrupts every 200 ticks or so, as vector 8. */
function startTimer({ vm }: Board): void {
  const pic = vm.getIrqchip(0);
  if (typeof pic !== 'number') vm.setIrqchip(0, { ...pic, irq_base: 8, imr: 0xfe });
  const pit = vm.getPit2();
  if (typeof pit === 'number') return;
  pit.channels[0].mode = 2;
  pit.channels[0].count = 300;
  vm.setPit2(pit);
}

/** Runs `drive` on both boards: what it returns and how it leaves the board are the same. */
function onBoth(code: string, drive: (board: Board) => unknown): unknown {
  const boards = [false as const, { threshold: 1 }].map((jit) =>
    createPcBoard({ memoryBytes: 0x20_0000, ips: 1_000_000, jit }),
  );
  for (const board of boards) start(board, code);
  const [first, second] = boards.map((board) => drive(board));
  expect(second).toEqual(first);
  expect(boardDifferences(boards[0], boards[1])).toEqual([]);
  const { generator } = boards[1].vcpu.cpu;
  expect(generator instanceof Jit ? generator.functions : 0).toBeGreaterThan(0);
  return first;
}

/** mov cx,400; loop: inc ax; add bx,ax; out dx,al; mov [3000h],bx; loop loop; cli; hlt */
const LOOP = 'b99001 40 01c3 ee 891e0030 e2f6 fa f4';

/** A device at port 300h. */
function addDevice(board: Board, write: (device: IoDevice, value: number) => boolean): IoDevice {
  const device: IoDevice = {
    name: 'probe',
    read: () => 0,
    write: (_port, _size, value) => write(device, value),
  };
  kvmIoBusRegisterDev(board.vm.buses[KVM_PIO_BUS], 0x300, 1, device);
  return device;
}

describe('generated code and', () => {
  it.each([1, 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 30, 100])('runs of %i ticks', (ticks) => {
    onBoth(LOOP, (board) => {
      startTimer(board);
      board.vcpu.setRegs({ ...board.vcpu.getRegs(), eflags: 0x202 });
      const seen: unknown[] = [];
      for (let end = 'slice'; end === 'slice'; ) {
        end = board.run(ticks).kind;
        seen.push(board.vcpu.getRegs(), board.vm.clock.ticks);
      }
      return seen;
    });
  });

  it('a loop that changes its own instruction', () => {
    // mov cx,200; loop: add byte [cs:imm],3; mov al,imm; add bx,ax; loop
    expect(onBoth('b9c800 2e8006 0a10 03 b000 01c3 e2f4 fa f4', (board) => board.run(100_000))).toEqual({
      kind: 'halted',
    });
  });

  it('the same EIP in two code segments', () => {
    // mov cx,50; loop: call 0200:0; call 0300:0; loop; cli; hlt. Each: mov dx,5; l: add ax,n; dec dx; jnz l; retf
    expect(
      onBoth('b93200 9a00000002 9a00000003 e2f4 fa f4', (board) => {
        board.vm.memory.write(0x2000, bytes('ba0500 050100 4a 75fa cb'));
        board.vm.memory.write(0x3000, bytes('ba0500 051000 4a 75fa cb'));
        return board.run(100_000);
      }),
    ).toEqual({ kind: 'halted' });
  });

  it('the A20 gate between two visits', () => {
    // mov cx,50; loop: mov al,2; out 92h,al; call FFFF:1010; mov al,0; out 92h,al; call FFFF:1010; loop; cli; hlt
    expect(
      onBoth('b93200 b002 e692 9a1010ffff b000 e692 9a1010ffff e2ec fa f4', (board) => {
        board.vm.memory.write(0x1000 + 0x10_0000, bytes('ba0500 83c301 4a 75fa cb'));
        const { memory } = board.vm;
        const main = memory.ram.slice(CODE, CODE + 64);
        memory.write(0x4000, main);
        memory.write(CODE, bytes('ba0500 83c310 4a 75fa cb'));
        board.vcpu.setRegs({ ...board.vcpu.getRegs(), eip: 0x4000 });
        return board.run(100_000);
      }),
    ).toEqual({ kind: 'halted' });
  });

  it('a page that paging maps elsewhere between two visits', () => {
    // mov ecx,50; loop: call 5000h; xor byte [8015h],30h; invlpg [5000h]; dec ecx; jnz; cli; hlt
    const main = 'b932000000 e8f63f0000 803515800000 30 0f013d00500000 49 75ea fa f4';
    expect(
      onBoth('', (board) => {
        const { vm, vcpu } = board;
        const tables = new Uint8Array(0x2000);
        const view = new DataView(tables.buffer);
        view.setUint32(0, 0x8003, true);
        for (let page = 0; page < 64; page++) view.setUint32(0x1000 + 4 * page, (page << 12) | 3, true);
        vm.memory.write(0x7000, tables);
        vm.memory.write(CODE, bytes(main));
        // mov edx,5; l: add eax,n; dec edx; jnz l; ret
        vm.memory.write(0x5000, bytes('ba05000000 83c001 4a 75fa c3'));
        vm.memory.write(0x6000, bytes('ba05000000 83c010 4a 75fa c3'));
        const sregs = vcpu.getSregs();
        for (const seg of [sregs.cs, sregs.ds, sregs.es, sregs.ss]) {
          Object.assign(seg, {
            base: 0,
            limit: 0xffff_ffff,
            g: 1,
            db: 1,
            selector: 0x10,
            dpl: 0,
            present: 1,
            s: 1,
          });
        }
        sregs.cs.type = 0xb;
        sregs.cs.selector = 8;
        sregs.cr3 = 0x7000;
        sregs.cr0 = 0x8000_0011;
        expect(vcpu.setSregs(sregs)).toBe(0);
        return board.run(100_000);
      }),
    ).toEqual({ kind: 'halted' });
  });

  it('KVM_SET_REGS between two runs', () => {
    onBoth(LOOP, (board) => {
      board.run(501);
      board.vcpu.setRegs({ ...board.vcpu.getRegs(), eax: 0x1234, ecx: 77, eip: CODE + 3 });
      return board.run(100_000);
    });
  });

  it('a data breakpoint that is armed in the middle and goes again', () => {
    onBoth(LOOP, (board) => {
      board.run(333);
      const { vcpu } = board;
      const regs = vcpu.getDebugregs();
      vcpu.setDebugregs({ ...regs, db: [0x3000, 0, 0, 0], dr7: 0x0005_0401 });
      board.run(300);
      const hits = vcpu.getRegs().esi;
      vcpu.setDebugregs({ ...regs, dr7: 0x400 });
      return [hits, board.run(100_000)];
    });
  });

  it('single steps by TF in and out of the loop', () => {
    // mov cx,100; loop: pushf; pop ax; xor ah,1; push ax; popf; inc bx; add bx,cx; loop; cli; hlt
    expect(onBoth('b96400 9c 58 80f401 50 9d 43 01cb e2f4 fa f4', (board) => board.run(100_000))).toEqual({
      kind: 'halted',
    });
  });

  it('STI and MOV SS, with interrupts all the time', () => {
    // mov cx,2000; loop: cli; l: inc bx; test bl,7; jnz l; sti; inc bx; mov ax,ss; mov ss,ax; add bx,ax; loop; cli; hlt
    const end = onBoth('b9d007 fa 43 f6c307 75fa fb 43 8cd0 8ed0 01c3 e2ee fa f4', (board) => {
      startTimer(board);
      const seen: unknown[] = [];
      for (let i = 0; i < 60; i++) seen.push(board.run(997), board.vcpu.getRegs());
      return seen;
    });
    expect(JSON.stringify(end)).toContain('halted');
  });

  it('snapshots, with the code changed by the host in between', () => {
    onBoth(LOOP, (board) => {
      board.run(200);
      const snapshot = board.snapshot();
      board.run(300);
      board.vm.memory.write(CODE + 3, bytes('48'));
      board.run(300);
      const changed = board.vcpu.getRegs();
      board.restore(snapshot);
      board.run(400);
      return [changed, board.vcpu.getRegs(), board.run(100_000)];
    });
  });

  it('a device that leaves the bus while it is written to', () => {
    onBoth(LOOP, (board) => {
      let writes = 0;
      addDevice(board, (device) => {
        if (++writes === 100) kvmIoBusUnregisterDev(board.vm.buses[KVM_PIO_BUS], device);
        return true;
      });
      return [board.run(100_000), writes];
    });
  });

  it('a device that declines now and then', () => {
    onBoth(LOOP, (board) => {
      let taken = 0;
      addDevice(board, (_, value) => {
        if (value % 3 === 0) return false;
        taken++;
        return true;
      });
      return [board.run(100_000), taken];
    });
  });

  it('a device that asks for a stop', () => {
    onBoth(LOOP, (board) => {
      addDevice(board, (_, value) => {
        if (value % 50 === 0) board.vcpu.requestStop();
        return true;
      });
      const seen: unknown[] = [];
      for (let i = 0; i < 20; i++) seen.push(board.run(100_000), board.vcpu.getRegs(), board.vm.clock.ticks);
      return seen;
    });
  });

  it('a trace that a device attaches, and detaches', () => {
    onBoth(LOOP, (board) => {
      const counter = new AccessCounter();
      addDevice(board, (_, value) => {
        if (value === 100) board.vcpu.trace = counter;
        if (value === 200) board.vcpu.trace = null;
        return true;
      });
      const end = board.run(100_000);
      return [end, counter.ports()];
    });
  });

  it('an ioeventfd that comes to a port and goes', () => {
    const seen = onBoth(LOOP, (board) => {
      const fd = new Eventfd();
      const event = { fd, addr: 0x300, len: 1, datamatch: 0, flags: KVM_IOEVENTFD_FLAG_PIO };
      board.run(200);
      expect(board.vm.ioeventfd(event)).toBe(0);
      board.run(300);
      expect(board.vm.ioeventfd({ ...event, flags: event.flags | KVM_IOEVENTFD_FLAG_DEASSIGN })).toBe(0);
      return [board.run(100_000), String(fd.count)];
    });
    expect(seen).toEqual([{ kind: 'halted' }, '60']);
  });

  it('I/O bitmaps that are switched on between two runs', () => {
    onBoth(LOOP, (board) => {
      let writes = 0;
      addDevice(board, () => {
        writes++;
        return true;
      });
      board.run(300);
      board.vcpu.vmcs.setPorts(0x80, 0x90, true);
      board.vcpu.vmcs.cpuBasedVmExecControl = CPU_BASED_USE_IO_BITMAPS;
      return [board.run(100_000), writes];
    });
  });

  it('a device of the host that throws: the error comes out, and a restored machine runs on', () => {
    onBoth(LOOP, (board) => {
      const snapshot = board.snapshot();
      let isBroken = true;
      addDevice(board, (_, value) => {
        if (isBroken && value === 120) throw new Error('broken device');
        return true;
      });
      expect(() => board.run(100_000)).toThrow('broken device');
      isBroken = false;
      board.restore(snapshot);
      return board.run(100_000);
    });
  });
});

describe('who answers at a port', () => {
  it('is asked anew when userspace takes the board away, as its functions stay', () => {
    onBoth(LOOP, (board) => {
      board.run(600);
      const { vcpu } = board;
      const bus = vcpu.userspace;
      vcpu.userspace = null;
      vcpu.tickLimit = Number.POSITIVE_INFINITY;
      const exits: number[] = [];
      for (let i = 0; i < 5; i++) exits.push(vcpu.kvmRun(), vcpu.run.exit_reason, vcpu.run.io.port);
      vcpu.userspace = bus;
      expect(exits.slice(0, 3)).toEqual([0, KVM_EXIT_IO, 0x300]);
      return [exits, board.run(600)];
    });
  });

  it('may attach a trace while it is asked: the next access is in it', () => {
    const seen = onBoth(LOOP, (board) => {
      const { vcpu } = board;
      const counter = new AccessCounter();
      const bus = vcpu.userspace;
      let writes = 0;
      if (bus !== null) {
        const device = bus.deviceFor?.(0x300, 1) ?? null;
        const write = device?.write.bind(device);
        if (device !== null && write !== undefined)
          device.write = (...args) => {
            if (++writes === 200) vcpu.trace = counter;
            return write(...args);
          };
      }
      board.run(5_000);
      vcpu.trace = null;
      return [writes, counter.ports().map(({ port, out }) => [port, out.count])];
    });
    // Observed accesses go to the bus, which knows this port as nobody’s without asking the stand-in.
    expect(seen).toEqual([200, [[0x300, 200]]]);
  });
});

describe('flags that one branch hands on', () => {
  it('are not those of the other branch', () => {
    // a: inc cx; cmp cx,dx; je t; h: mov [3000h],al; add si,1; cmp si,di; jb h; jmp a; t: sub ax,1; mov bx,ax; cli; hlt
    onBoth(
      'ba5000 bf0800 31c9 41 39d1 740f a20030 83c601 39fe 72f6 31f6 ebec 90 83e801 89c3 fa f4',
      (board) => board.run(20_000),
    );
  });
});

describe('the page that an access remembers', () => {
  it('is not taken for page 0 by a word or doubleword at address 1 there', () => {
    // l: mov [1],ax; mov [1],eax; inc ax; dec cx; jnz l; jmp $
    const seen = onBoth('b96000 a30100 66a30100 40 49 75f5 ebfe', (board) => {
      board.run(1_000);
      const clean = board.snapshot();
      const before = board.vm.memory.read(0, 8);
      // Page 0 is clean: the first store there must be told.
      board.vcpu.setRegs({ ...board.vcpu.getRegs(), eip: CODE });
      board.run(200);
      const written = board.vm.memory.read(0, 8);
      board.restore(clean);
      return [before, written, board.vm.memory.read(0, 8)].map((data) => Buffer.from(data).toString('hex'));
    });
    const [before, written, restored] = seen as string[];
    expect(written).not.toBe(before);
    expect(restored).toBe(before);
  });
});

describe('segments that a function relies on', () => {
  // o: mov ax,cx; shl ax,6; add ax,1000h; mov ds,ax; mov bx,0; l: mov [bx],al; inc bx; cmp bx,8; jb l; loop o; jmp $
  const OTHER_DS_EACH_ROUND = 'b92800 89c8 c1e006 050010 8ed8 bb0000 8807 43 83fb08 72f8 e2e9 ebfe';

  it('may change between its runs', () => {
    const seen = onBoth(OTHER_DS_EACH_ROUND, (board) => {
      board.run(3_000);
      return Array.from({ length: 40 }, (_, i) => board.vm.memory.read(0x1_0000 + (i + 1) * 0x400, 9)[7]);
    });
    expect(seen).toEqual(Array.from({ length: 40 }, (_, i) => ((i + 1) * 0x40) & 0xff));
  });

  it('are read at the entry once they have changed a few times', () => {
    const board = createPcBoard({ memoryBytes: 0x20_0000, jit: { threshold: 1 } });
    start(board, OTHER_DS_EACH_ROUND);
    const jit = board.vcpu.cpu.generator as Jit;
    jit.texts = [];
    board.run(3_000);
    const readers = jit.texts.filter((text) => text.includes('= segBase[3]'));
    expect(readers).not.toEqual([]);
    expect(jit.functions).toBeLessThan(12);
  });
});
