import { describe, expect, it } from 'vitest';
import type { Board, BoardEnd, BoardOptions } from '../../../src/boards/board.ts';
import { createKvmBoard } from '../../../src/boards/kvm.ts';
import { createPcBoard } from '../../../src/boards/pc.ts';
import type { PostCodeLatch } from '../../../src/devices/post-code.ts';
import { Kvm } from '../../../src/kvm/kvm.ts';
import { orThrow } from '../../../src/kvm/or-throw.ts';
import { load, setVector, TextSink } from './board-guest.ts';

const HANDLER = 0x8000;

function run(board: Board, listing: string, ticks = 100_000): BoardEnd {
  load(board, listing);
  return board.run(ticks);
}

describe('a run ends', () => {
  const board = () => createPcBoard();

  it('with the code written to the exit port, the instruction done', () => {
    const b = board();
    expect(run(b, 'b0 2a e6 f4 b0 55 f4 ; mov al,42; out 0xf4,al; mov al,0x55; hlt')).toEqual({
      kind: 'exit',
      code: 42,
    });
    expect(b.vcpu.getRegs().eip).toBe(0x7c04);
    expect(b.run(100)).toEqual({ kind: 'halted' });
    expect(b.vcpu.getRegs().eax & 0xff).toBe(0x55);
  });

  it('at the tick limit, exactly, and goes on from there', () => {
    const b = board();
    load(b, '40 eb fd ; inc ax; jmp $-1');
    expect(b.run(1000)).toEqual({ kind: 'slice' });
    expect([b.vm.clock.ticks, b.vcpu.getRegs().eax]).toEqual([1000, 500]);
    expect(b.run(1)).toEqual({ kind: 'slice' });
    expect(b.vcpu.getRegs().eax).toBe(501);
  });

  it('halted when HLT finds interrupts off, again on every later run', () => {
    const b = board();
    expect([run(b, 'fa f4 ; cli; hlt'), b.run(10)]).toEqual([{ kind: 'halted' }, { kind: 'halted' }]);
  });

  it('idle when HLT finds interrupts on and nothing to come', () => {
    expect(run(board(), 'fb f4 ; sti; hlt')).toEqual({ kind: 'idle' });
  });

  it('in shutdown on a triple fault', () => {
    const b = board();
    load(b, '0f 01 1e 00 60 cc ; lidt [0x6000]; int3');
    expect(b.run(100)).toEqual({ kind: 'shutdown' });
    expect(b.run(100)).toEqual({ kind: 'shutdown' });
  });

  it('with an internal error when code leaves memory', () => {
    const end = run(createPcBoard({ memoryBytes: 0x10000 }), 'ea 00 00 00 20 ; jmp 0x2000:0');
    expect(end.kind).toBe('internal-error');
    expect(end).toHaveProperty('message', expect.stringContaining('0x20000'));
  });

  it.each([
    ['keyboard controller', 'b0 fe e6 64 ; mov al,0xfe; out 0x64,al'],
    ['keyboard controller', 'b0 d1 e6 64 b0 c2 e6 60 ; output port with bit 0 clear'],
    ['port 0x92', 'b0 01 e6 92 ; mov al,1; out 0x92,al'],
  ])('with a reset by the %s', (source, listing) => {
    expect(run(board(), listing)).toEqual({ kind: 'reset', source });
  });
});

describe('the unclaimed policy', () => {
  const READ_WORD = 'ba f0 01 ed b0 07 e6 f4 ; mov dx,0x1f0; in ax,dx; mov al,7; out 0xf4,al';

  it('open-bus reads ones and goes on', () => {
    const board = createKvmBoard();
    load(board, 'b8 34 12 ba f0 01 ed f4 ; mov ax,0x1234; mov dx,0x1f0; in ax,dx; hlt');
    expect(board.run(100)).toEqual({ kind: 'halted' });
    expect(board.vcpu.getRegs().eax).toBe(0xffff);
  });

  it('warn tells and goes on', () => {
    const warnings: string[] = [];
    const board = createKvmBoard({ unclaimed: 'warn', onWarning: (line) => warnings.push(line) });
    expect(run(board, READ_WORD)).toEqual({ kind: 'exit', code: 7 });
    expect(warnings).toEqual(['no device at port 0x01f0: read of 2 bytes at 0000:7c03']);
  });

  it.each([
    ['port 0x01f0: read of 2 bytes at 0000:7c03', READ_WORD],
    [
      'port 0x0021: write of 2 bytes, value 0x1234, at 0000:7c03',
      'b8 34 12 e7 21 ; mov ax,0x1234; out 0x21,ax',
    ],
    ['port 0x0081: write of 1 byte, value 0x12, at 0000:7c03', 'b8 34 12 e7 80 ; mov ax,0x1234; out 0x80,ax'],
  ])('error ends the run at %s', (what, listing) => {
    const board = createPcBoard({ unclaimed: 'error' });
    expect(run(board, listing)).toEqual({ kind: 'unclaimed', message: `no device at ${what}` });
  });

  it('error ends the run at memory that is not there, but not at a store to ROM', () => {
    const board = createPcBoard({ unclaimed: 'error', memoryBytes: 0x10000 });
    board.addRom(new Uint8Array(4096), 0xf0000);
    const listing = `b8 00 f0    ; mov ax,0xf000
      8e d8       ; mov ds,ax
      a2 00 00    ; mov [0],al
      a0 00 20    ; mov al,[0x2000]`;
    expect(run(board, listing)).toEqual({
      kind: 'unclaimed',
      message: 'no device at address 0x000f2000: read of 1 byte at 0000:7c08',
    });
  });

  it('reads memory that is not there as ones by default', () => {
    const board = createPcBoard({ memoryBytes: 0x10000 });
    run(board, 'b8 00 20 8e d8 66 a1 00 00 f4 ; mov ax,0x2000; mov ds,ax; mov eax,[0]; hlt');
    expect(board.vcpu.getRegs().eax).toBe(0xffff_ffff);
  });
});

describe('A20', () => {
  const bit20 = (board: Board) => {
    board.vm.memory.write(0x10_0500, Uint8Array.of(0x11));
    board.vm.memory.write(0x00_0500, Uint8Array.of(0x22));
    load(board, 'b8 ff ff 8e d8 a0 10 05 e6 f4 ; mov ax,0xffff; mov ds,ax; mov al,[0x510]; out 0xf4,al');
    return (board.run(100) as { code?: number }).code;
  };

  it('is open at power-on, closes when neither asks for it, opens when one does', () => {
    const board = createPcBoard();
    expect(bit20(board)).toBe(0x11);
    run(board, 'b0 dd e6 64 e6 f4 ; mov al,0xdd; out 0x64,al; out 0xf4,al');
    expect(bit20(board)).toBe(0x22);
    run(board, 'b0 02 e6 92 e6 f4 ; mov al,2; out 0x92,al; out 0xf4,al');
    expect(bit20(board)).toBe(0x11);
    run(board, 'b0 00 e6 92 e6 f4 ; mov al,0; out 0x92,al; out 0xf4,al');
    expect(bit20(board)).toBe(0x22);
    board.reset();
    expect(bit20(board)).toBe(0x11);
  });
});

describe('interrupts of the board’s devices', () => {
  /** PIC: vectors 8 … 15 and 0x70 … 0x77, `masks` for master and slave. */
  const initPic = (master: string, slave: string) => `
    b0 11 e6 20 b0 08 e6 21 b0 04 e6 21 b0 01 e6 21 b0 ${master} e6 21
    b0 11 e6 a0 b0 70 e6 a1 b0 02 e6 a1 b0 01 e6 a1 b0 ${slave} e6 a1`;

  it('the UART wakes an idle guest by IRQ 4', () => {
    const board = createKvmBoard();
    setVector(board, 12, HANDLER);
    board.vm.memory.write(HANDLER, Uint8Array.of(0xba, 0xf8, 0x03, 0xec, 0xe6, 0xf4)); // mov dx,0x3f8; in al,dx; out 0xf4,al
    load(
      board,
      `${initPic('ef', 'ff')}
       ba fc 03 b0 08 ee ; mov dx,0x3fc; mov al,8; out dx,al   OUT2
       ba f9 03 b0 01 ee ; mov dx,0x3f9; mov al,1; out dx,al   receive interrupt
       fb f4 eb fd       ; sti; hlt; jmp $-1`,
    );
    expect(board.run(1000)).toEqual({ kind: 'idle' });
    expect(board.receiveSerial(0x5a)).toBe(true);
    expect(board.run(1000)).toEqual({ kind: 'exit', code: 0x5a });
    expect(board.receiveSerial(1)).toBe(true);
    expect(board.receiveSerial(2)).toBe(false);
  });

  it('the keyboard by IRQ 1', () => {
    const board = createPcBoard();
    setVector(board, 9, HANDLER);
    board.vm.memory.write(HANDLER, Uint8Array.of(0xe4, 0x60, 0xe6, 0xf4)); // in al,0x60; out 0xf4,al
    load(board, `${initPic('fd', 'ff')} fb f4 ; sti; hlt`);
    expect(board.run(1000)).toEqual({ kind: 'idle' });
    expect(board.receiveScancode(0x1c)).toBe(true);
    expect(board.run(1000)).toEqual({ kind: 'exit', code: 0x1e });
    expect(createKvmBoard().receiveScancode(0x1c)).toBe(false);
  });

  it('the clock by IRQ 8, at its time', () => {
    const board = createPcBoard();
    setVector(board, 0x70, HANDLER);
    board.vm.memory.write(HANDLER, Uint8Array.of(0xb0, 0x0c, 0xe6, 0x70, 0xe4, 0x71, 0xe6, 0xf4)); // read register C, exit
    load(
      board,
      `${initPic('fb', 'fe')}
       b0 0b e6 70 b0 12 e6 71 ; register B: update-ended interrupt, 24 hours
       fb f4                   ; sti; hlt`,
    );
    expect(board.run(200_000_000)).toEqual({ kind: 'exit', code: 0xd0 }); // IRQF, PF, UF
    expect(board.vm.clock.nowNs).toBeGreaterThanOrEqual(1_000_000_000);
    expect(board.vm.clock.nowNs).toBeLessThan(1_000_001_000);
  });
});

describe('string I/O', () => {
  it.each([false, true])('prints on both consoles and the UART (forced emulation: %s)', (forceEmulation) => {
    const serial = new TextSink();
    const debug = new TextSink();
    const board = createKvmBoard({ serial, debug, forceEmulation });
    board.vm.memory.write(
      0x6000,
      Uint8Array.from('Hello', (c) => c.charCodeAt(0)),
    );
    const outs = 'be 00 60 b9 05 00 f3 6e ; mov si,0x6000; mov cx,5; rep outsb\n';
    load(board, `ba f8 03\n${outs} ba e9 00\n${outs} ba 02 04\n${outs} f4`);
    expect(board.run(1000)).toEqual({ kind: 'halted' });
    expect([serial.text, debug.text]).toEqual(['Hello', 'HelloHello']);
  });

  it('reads 0xe9 from the debug console as often as asked', () => {
    const board = createKvmBoard();
    load(board, 'bf 00 60 b9 03 00 ba 02 04 f3 6c f4 ; mov di,0x6000; mov cx,3; mov dx,0x402; rep insb; hlt');
    board.run(1000);
    expect([...board.vm.memory.read(0x6000, 4)]).toEqual([0xe9, 0xe9, 0xe9, 0]);
  });
});

describe('an observed run', () => {
  it('does what an unobserved one does', () => {
    const guest = `b0 41        ; mov al,'A'
      ba f8 03     ; mov dx,0x3f8
      ee           ; out dx,al
      b0 0f e6 70  ; mov al,0x0f; out 0x70,al
      e4 71        ; in al,0x71
      e6 80        ; out 0x80,al
      bf 00 60 b9 03 00 ba 02 04 f3 6c ; rep insb from 0x402
      ba 08 06 66 ed ; mov dx,0x608; in eax,dx
      e6 f4        ; out 0xf4,al`;
    const results = [false, true].map((isObserved) => {
      const serial = new TextSink();
      const board = createPcBoard({ serial });
      if (isObserved) board.vcpu.observed++;
      const end = run(board, guest);
      return {
        end,
        text: serial.text,
        regs: board.vcpu.getRegs(),
        ticks: board.vm.clock.ticks,
        devices: board.saveDevices(),
      };
    });
    expect(results[1]).toEqual(results[0]);
    expect(results[0].end.kind).toBe('exit');
  });
});

describe('reset', () => {
  it('starts the processor at the reset vector with fresh devices; memory and time stay', () => {
    const board = createPcBoard();
    load(
      board,
      `b0 5a e6 80            ; mov al,0x5a; out 0x80,al
       ba fb 03 ee            ; mov dx,0x3fb; out dx,al     LCR
       b0 11 e6 20 b0 40 e6 21 ; PIC: ICW1, ICW2
       b0 34 e6 43 e6 40 e6 40 ; PIT channel 0 runs
       c6 06 00 60 77         ; mov byte [0x6000],0x77
       b0 fe e6 64            ; reset`,
    );
    const fresh = createPcBoard();
    const { ticks } = board.vm.clock;
    expect(board.run(1000).kind).toBe('reset');
    board.reset();
    expect(board.vcpu.getRegs()).toEqual(fresh.vcpu.getRegs());
    expect(board.vcpu.getSregs()).toEqual(fresh.vcpu.getSregs());
    expect([
      orThrow(board.vm.getIrqchip(0), 'KVM_GET_IRQCHIP'),
      orThrow(board.vm.getIrqchip(1), 'KVM_GET_IRQCHIP'),
    ]).toEqual([
      orThrow(fresh.vm.getIrqchip(0), 'KVM_GET_IRQCHIP'),
      orThrow(fresh.vm.getIrqchip(1), 'KVM_GET_IRQCHIP'),
    ]);
    expect(orThrow(board.vm.getPit2(), 'KVM_GET_PIT2').channels.map((c) => c.mode)).toEqual([
      0xff, 0xff, 0xff,
    ]);
    expect(board.vm.clock.skipToDeadline()).toBe(false);
    expect((board.devices.get('post-code') as PostCodeLatch).history.length).toBe(0);
    expect(board.vm.memory.read(0x6000, 1)[0]).toBe(0x77);
    expect(board.vm.clock.ticks).toBeGreaterThan(ticks);
  });

  it('ends a triple fault', () => {
    const board = createPcBoard();
    board.addRom(
      Uint8Array.from({ length: 0x10000 }, () => 0xf4),
      0xffff_0000,
    );
    run(board, '0f 01 1e 00 60 cc ; lidt [0x6000]; int3');
    board.reset();
    expect(board.run(10)).toEqual({ kind: 'halted' });
  });
});

describe('devices', () => {
  it('are saved and loaded by name', () => {
    const board = createPcBoard();
    run(
      board,
      'b0 5a e6 80 b0 02 e6 92 b0 dd e6 64 f4 ; POST 5a, port 92 opens A20, keyboard controller closes it',
    );
    const saved = board.saveDevices();
    const other = createPcBoard();
    other.loadDevices(saved);
    expect(other.saveDevices()).toEqual(saved);
    expect(Object.keys(saved).sort()).toEqual(['i8042', 'mc146818', 'port92', 'post-code', 'serial']);
    other.loadDevices({ port92: { value: 0 } });
    expect(other.vcpu.cpu.a20Mask).toBe(~0x10_0000);
  });
});

describe('creation', () => {
  it.each<[string, (options: BoardOptions) => Board]>([
    ['kvm', createKvmBoard],
    ['pc', createPcBoard],
  ])('of the board %s registers the kernel’s devices in the kernel’s order', (name, create) => {
    const registered: string[] = [];
    const kvm = new Kvm({
      hooks: {
        enter(fn, args) {
          if (fn === 'kvmIoBusRegisterDev')
            registered.push((args as unknown[]).slice(1, 3).map(String).join('+'));
        },
        leave() {},
      },
    } as ConstructorParameters<typeof Kvm>[0]);
    const board = create({ kvm });
    expect(board.name).toBe(name);
    expect(registered).toEqual(['32+2', '160+2', '1232+2', `${0xfec0_0000}+256`, '64+4', '97+4']);
  });
});
