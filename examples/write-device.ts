/**
 * Write a device: two methods, on the kernel's own bus.
 *
 *     npm run build && npx tsx examples/write-device.ts
 *
 * The device is a dice at port 0x300: a read gives the next throw, a write of one byte seeds it.
 */
import {
  createKvmBoard,
  IO_NOT_HANDLED,
  type IoDevice,
  KVM_PIO_BUS,
  kvmIoBusRegisterDev,
  loadImage,
  planImage,
} from 'pio86';

const DICE_PORT = 0x300;

class Dice implements IoDevice {
  readonly name = 'dice';
  #state = 1;

  /** Bytes only: other sizes are declined, and so go to whoever is asked next. */
  read(_port: number, size: number): number {
    if (size !== 1) return IO_NOT_HANDLED;
    this.#state = (this.#state * 75 + 74) % 65537;
    return 1 + (this.#state % 6);
  }

  write(_port: number, size: number, value: number): boolean {
    if (size !== 1) return false;
    this.#state = value + 1;
    return true;
  }
}

// mov dx,0x300 / mov al,7 / out dx,al / in al,dx / add al,'0' / out 0xe9,al / hlt, the last three lines three times
const THROW = [0xec, 0x04, 0x30, 0xe6, 0xe9];
const program = Uint8Array.from([
  0xba,
  0x00,
  0x03,
  0xb0,
  0x07,
  0xee,
  ...THROW,
  ...THROW,
  ...THROW,
  0xfa,
  0xf4,
]);

let throws = '';
const board = createKvmBoard({
  debug: {
    write(byte) {
      throws += String.fromCharCode(byte);
    },
  },
});
const error = kvmIoBusRegisterDev(board.vm.buses[KVM_PIO_BUS], DICE_PORT, 1, new Dice());
if (error !== 0) throw new Error(`the bus refused the device: errno ${-error}`);
loadImage(board, planImage({ name: 'dice', bytes: program }, 'raw'));
const end = board.run(1000);
console.log(`dice: ${throws.split('').join(' ')} (${end.kind})`);
