/** Entry of the process that runs one ROM in v86: from its write to port 0xE0 to its write to the exit port. */
import { readFileSync, writeSync } from 'node:fs';
import { V86 } from 'v86';

const START_PORT = 0xe0;
const EXIT_PORT = 0xf4;
const MEMORY_BYTES = 16 << 20;
const VGA_BYTES = 1 << 20;

/** What v86 has of its machine, undeclared in its types. */
interface V86Machine {
  readonly cpu: { readonly io: { register_write(port: number, device: object, write: () => void): void } };
}

const [wasmPath = '', romPath = ''] = process.argv.slice(2);
const emulator = new V86({
  wasm_path: wasmPath,
  bios: { buffer: Uint8Array.from(readFileSync(romPath)).buffer },
  memory_size: MEMORY_BYTES,
  vga_memory_size: VGA_BYTES,
  autostart: false,
  disable_speaker: true,
});

let start = 0;
let cpu = process.cpuUsage();
emulator.add_listener('emulator-loaded', () => {
  const { io } = (emulator as unknown as { v86: V86Machine }).v86.cpu;
  io.register_write(START_PORT, {}, () => {
    start = performance.now();
    cpu = process.cpuUsage();
  });
  io.register_write(EXIT_PORT, {}, () => {
    const wallSeconds = (performance.now() - start) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    const text = JSON.stringify({ wallSeconds, cpuSeconds: (user + system) / 1e6 });
    writeSync(1, `${text}\n`);
    process.exit(0); // before the HLT that a guest in virtual-8086 mode may not execute
  });
  emulator.run();
});
