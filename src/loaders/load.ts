/**
 * Carries out a load plan: first everything is checked, then everything is written.
 */
import type { Board } from '../boards/board.ts';
import type { GuestMemory } from '../cpu/memory.ts';
import { EmulatorError } from '../errors.ts';
import { hex, type LoadPlan, type MemoryWrite, type StartState } from './image.ts';

/** The machine to load into. */
export type LoadTarget = Pick<Board, 'vm' | 'vcpu' | 'addRom'>;

const ONE_MIB = 0x10_0000;
const FOUR_GIB = 0x1_0000_0000;

function checkWrite(memory: GuestMemory, write: MemoryWrite): void {
  let at = write.gpa;
  const end = write.gpa + write.bytes.length;
  while (at < end) {
    const slot = memory.slotAt(at);
    if (slot === null) {
      const start = at === write.gpa;
      throw new EmulatorError(
        start ? 'E_ARGUMENT' : 'E_IMAGE_SIZE',
        start
          ? `${write.name}: no memory at its load address ${hex(at)}; give more with --memory`
          : `${write.name}: too large, ${hex(write.bytes.length)} bytes at ${hex(write.gpa)} run past the end of memory at ${hex(at)}; give more with --memory`,
      );
    }
    at = slot.gpa + slot.mem.length;
  }
}

function setStartState(vcpu: LoadTarget['vcpu'], start: StartState): void {
  const sregs = vcpu.getSregs();
  for (const name of ['ds', 'es', 'fs', 'gs', 'ss', 'cs'] as const) {
    const selector = name === 'cs' ? start.cs : start.dataSegment;
    sregs[name] = { ...sregs[name], selector, base: selector * 16, limit: 0xffff };
  }
  vcpu.setSregs(sregs);
  vcpu.setRegs({
    eax: 0,
    ebx: 0,
    ecx: 0,
    edx: start.dx,
    esi: 0,
    edi: 0,
    ebp: 0,
    esp: start.sp,
    eip: start.ip,
    eflags: 2,
  });
}

/**
 * Loads an image and further bytes into a fresh machine.
 *
 * @param extra written after the image, so that they win where they overlap.
 * @throws EmulatorError `E_ARGUMENT` for a load address without memory, `E_IMAGE_SIZE` for bytes that run past the
 * end of memory; nothing is changed then.
 */
export function loadImage(target: LoadTarget, plan: LoadPlan, extra: readonly MemoryWrite[] = []): void {
  const writes = [...plan.writes, ...extra];
  for (const write of writes) checkWrite(target.vm.memory, write);
  if (plan.rom !== null) {
    target.addRom(plan.rom, ONE_MIB - plan.rom.length);
    target.addRom(plan.rom, FOUR_GIB - plan.rom.length);
  }
  for (const write of writes) target.vm.memory.write(write.gpa, write.bytes);
  if (plan.start !== null) setStartState(target.vcpu, plan.start);
}
