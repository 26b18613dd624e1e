/**
 * From KVM's way of reporting errors to JavaScript's.
 */
import { EmulatorError } from '../errors.ts';
import { errnoName } from '../uapi/errno.ts';

/**
 * What an ioctl answered, if it succeeded.
 *
 * @param what the ioctl, for the message: `KVM_CREATE_VCPU`.
 * @throws EmulatorError `E_IOCTL` that names the errno.
 */
export function orThrow(result: number, what: string): number;
export function orThrow<T extends object>(result: T | number, what: string): T;
export function orThrow<T extends object>(result: T | number, what: string): T | number {
  if (typeof result === 'number' && result < 0) {
    throw new EmulatorError('E_IOCTL', `${what}: ${errnoName(result)}`);
  }
  return result;
}
