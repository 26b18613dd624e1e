/**
 * Embed a machine: load a guest, run it in slices, read what it printed.
 *
 *     npm run build && npx tsx examples/embed-machine.ts
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createPcBoard, loadImage, planImage } from 'pio86';

let text = '';
const board = createPcBoard({
  memoryBytes: 1 << 20,
  serial: {
    write(byte) {
      text += String.fromCharCode(byte);
    },
  },
});

const name = 'hello.bin';
const bytes = readFileSync(fileURLToPath(new URL(name, import.meta.url)));
loadImage(board, planImage({ name, bytes }));

// A slice of virtual time at a call: the program stays in charge. This guest needs far less than ten of them.
let end = board.run(100_000);
for (let slices = 1; end.kind === 'slice' && slices < 10; slices++) end = board.run(100_000);

console.log(text.trimEnd());
console.log(
  `ended: ${end.kind}, ${board.vcpu.stat.io_exits} I/O exits, ${board.vm.clock.nowNs} ns of virtual time`,
);
