/**
 * Which of KVM's functions an I/O instruction goes through (Linux 6.12 with the 5.15 name `kernel_pio` for the loop
 * that later versions have inlined; vmx.c, x86.c, emulate.c, kvm_main.c).
 */

/** The instruction, as far as its way depends on it. */
export interface PathKey {
  readonly isIn: boolean;
  readonly isString: boolean;
}

/** A way from the VM exit to the device, and how it ends. */
export interface KvmPath {
  /** From the exit handler to the device, in calling order. */
  readonly functions: readonly string[];
  /** What follows when a device in the kernel took the access. */
  readonly taken: string;
  /** What follows when none did. */
  readonly refused: string;
}

const BUS_READ = ['kvm_io_bus_read', '__kvm_io_bus_read', 'kvm_iodevice_read', 'dev->ops->read'];
const BUS_WRITE = ['kvm_io_bus_write', '__kvm_io_bus_write', 'kvm_iodevice_write', 'dev->ops->write'];
const EMULATOR = ['kvm_emulate_instruction', 'x86_emulate_instruction', 'x86_emulate_insn'];

function functionsOf({ isIn, isString }: PathKey): string[] {
  const bus = isIn ? BUS_READ : BUS_WRITE;
  const middle = ['emulator_pio_in_out', 'kernel_pio', ...bus];
  if (!isString) {
    return isIn
      ? ['handle_io', 'kvm_fast_pio', 'kvm_fast_pio_in', 'emulator_pio_in', ...middle]
      : ['handle_io', 'kvm_fast_pio', 'kvm_fast_pio_out', 'emulator_pio_out', ...middle];
  }
  return isIn
    ? [
        'handle_io',
        ...EMULATOR,
        'em_in',
        'pio_in_emulated',
        'emulator_pio_in_emulated',
        'emulator_pio_in',
        ...middle,
      ]
    : ['handle_io', ...EMULATOR, 'em_out', 'emulator_pio_out_emulated', 'emulator_pio_out', ...middle];
}

function takenBy({ isIn, isString }: PathKey): string {
  if (!isString) {
    return isIn
      ? 'AL, AX or EAX is written, then kvm_skip_emulated_instruction'
      : 'kvm_skip_emulated_instruction';
  }
  return isIn ? 'segmented_write of the batch, then (E)DI and (E)CX' : '(E)SI and (E)CX, next element';
}

function refusedBy({ isIn, isString }: PathKey): string {
  if (!isString) {
    const completion = isIn ? 'complete_fast_pio_in' : 'complete_fast_pio_out';
    return `KVM_EXIT_IO with RIP at the instruction; the next KVM_RUN calls ${completion}`;
  }
  return isIn
    ? 'KVM_EXIT_IO, nothing committed yet; the next KVM_RUN calls complete_emulated_pio'
    : 'KVM_EXIT_IO with count 1, registers committed; no completion callback';
}

/** The path of one kind of access. */
export function kvmPath(key: PathKey): KvmPath {
  return { functions: functionsOf(key), taken: takenBy(key), refused: refusedBy(key) };
}
