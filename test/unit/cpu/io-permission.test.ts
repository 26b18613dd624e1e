import { describe, expect, it } from 'vitest';
import { Cpu } from '../../../src/cpu/cpu.ts';
import { runGuest } from '../../../src/cpu/interpreter.ts';
import { portAllowed } from '../../../src/cpu/io-permission.ts';
import { GuestMemory } from '../../../src/cpu/memory.ts';
import { X86_EFLAGS_IOPL, X86_EFLAGS_VM } from '../../../src/cpu/registers.ts';
import { SEG_CS, SEG_SS, SEG_TR } from '../../../src/decoder/insn.ts';
import { EXIT_REASON_IO_INSTRUCTION } from '../../../src/uapi/vmx.ts';

const TSS = 0x3000;
const TSS32 = 0x8b;
const TSS16 = 0x83;
const RING3_DATA = 0xf3;
const RING3_CODE = 0x40fb;

/** A processor at CPL 3, IOPL 0, with a TSS whose map base is `mapBase`. */
function ring3(limit: number, mapBase: number, type: number = TSS32): Cpu {
  const mem = new GuestMemory();
  mem.addSlot(0, 0, new Uint8Array(0x10000), false);
  const cpu = new Cpu(mem);
  cpu.cr0 |= 1;
  cpu.setSegment(SEG_CS, 0x1b, 0, 0xffffffff, RING3_CODE);
  cpu.setSegment(SEG_SS, 0x23, 0, 0xffffffff, RING3_DATA);
  cpu.setSegment(SEG_TR, 0x28, TSS, limit, type);
  mem.view.setUint16(TSS + 102, mapBase, true);
  return cpu;
}

/** Sets the bit of `port` in a map that starts at 0x68. */
function forbid(cpu: Cpu, port: number): void {
  cpu.mem.ram[TSS + 0x68 + (port >> 3)] |= 1 << (port & 7);
}

describe('the I/O permission check of the processor', () => {
  it('lets a program pass whose CPL does not exceed IOPL, whatever the TSS says', () => {
    const cpu = ring3(0, 0xffff);
    expect(portAllowed(cpu, 0x80, 1)).toBe(false);
    cpu.sysFlags |= X86_EFLAGS_IOPL;
    expect(portAllowed(cpu, 0x80, 1)).toBe(true);
  });

  it('asks the map in virtual-8086 mode even with IOPL 3', () => {
    const cpu = ring3(0x2068, 0x68);
    cpu.sysFlags |= X86_EFLAGS_IOPL | X86_EFLAGS_VM;
    expect(portAllowed(cpu, 0x80, 1)).toBe(true);
    forbid(cpu, 0x80);
    expect(portAllowed(cpu, 0x80, 1)).toBe(false);
  });

  it('wants the bits of every byte of the access clear, across two map bytes', () => {
    const cpu = ring3(0x2068, 0x68);
    forbid(cpu, 0x88);
    expect([1, 2, 4].map((size) => portAllowed(cpu, 0x86, size))).toEqual([true, true, false]);
    expect(portAllowed(cpu, 0x87, 2)).toBe(false);
    expect(portAllowed(cpu, 0x89, 4)).toBe(true);
  });

  it('wants both map bytes that it reads within the limit, where KVM checks only the first', () => {
    // Port 0x10 is in map byte 2: offsets 0x6a and 0x6b.
    expect(portAllowed(ring3(0x6b, 0x68), 0x10, 1)).toBe(true);
    expect(portAllowed(ring3(0x6a, 0x68), 0x10, 1)).toBe(false);
  });

  it('refuses without a map: a 16-bit TSS, one below 104 bytes, a base beyond the limit, no TSS', () => {
    expect(portAllowed(ring3(0x2068, 0x68, TSS16), 0x80, 1)).toBe(false);
    expect(portAllowed(ring3(0x66, 0x10), 0x80, 1)).toBe(false);
    expect(portAllowed(ring3(0x67, 0x68), 0, 1)).toBe(false);
    expect(portAllowed(ring3(0x2068, 0x68, 0x1_0000 | TSS32), 0x80, 1)).toBe(false);
  });

  it('comes before the VM exit: a refused OUT is #GP(0), an allowed one leaves', () => {
    const cpu = ring3(0x2068, 0x68);
    cpu.mem.ram.set([0xe6, 0x80], 0x1000); // out 0x80,al
    cpu.eip = 0x1000;
    expect(runGuest(cpu, 1)).toBe(EXIT_REASON_IO_INSTRUCTION);
    forbid(cpu, 0x80);
    // The IDT is empty: #GP, then a double fault, then shutdown. What counts is that no I/O exit happens.
    expect(runGuest(cpu, 1)).not.toBe(EXIT_REASON_IO_INSTRUCTION);
  });
});
