/**
 * The formats of test vectors that `pio86 conform` knows, one row each.
 */
import { HW32 } from './hw32.ts';
import { KVM_DEV } from './kvm-dev.ts';
import { KVM_PIO } from './kvm-pio.ts';
import { SST80286 } from './sst80286.ts';
import type { VectorFormat } from './vector-format.ts';

/** In the order in which a file is asked whether it is one. */
export const VECTOR_FORMATS: readonly VectorFormat[] = [SST80286, KVM_PIO, KVM_DEV, HW32];
