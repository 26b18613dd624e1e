/**
 * Errors of the host program. A guest never causes one: guest faults are return codes.
 */

/** What went wrong, for programs to test. */
export type EmulatorErrorCode =
  | 'E_ARGUMENT'
  | 'E_BUS_RANGE'
  | 'E_BUS_FULL'
  | 'E_DIFFERENCE'
  | 'E_EXISTS'
  | 'E_IMAGE'
  | 'E_IMAGE_SIZE'
  | 'E_INPUT'
  | 'E_IOCTL'
  | 'E_MEMORY'
  | 'E_ORACLE'
  | 'E_STATE'
  | 'E_VECTOR';

/**
 * Something the host program did wrong. The message says who, what (values in hex) and the limit, for
 * example `post-code: ports 0xffff+2 leave 0x0000–0xffff`.
 */
export class EmulatorError extends Error {
  override readonly name = 'EmulatorError';
  readonly code: EmulatorErrorCode;

  constructor(code: EmulatorErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Marks a case that the types prove impossible; reaching it is a bug of pio86. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${String(value)}`);
}
