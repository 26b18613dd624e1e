/**
 * `--cpu max`, the default: everything that pio86 has. No processor was ever sold like this: integer instructions of today
 * without FPU, MMX and SSE.
 */
import * as f from '../../decoder/features.ts';
import { makeCpuModel } from '../cpu-model.ts';
import { P6_FEATURES } from './p6.ts';

/** Family 6, model 6, stepping 3: late enough that systems believe the SEP bit. */
const SIGNATURE = 0x663;
/** KVM: what EDX holds after a reset is set before userspace has told it a signature (`kvm_vcpu_reset`). */
const RESET_EDX = 0x600;
const MAX_BASIC_LEAF = 7;
/** Leaf 80000008H is absent: physical addresses have 36 bits. */
const MAX_EXTENDED_LEAF = 0x8000_0001;

export const MAX = makeCpuModel({
  name: 'max',
  features:
    P6_FEATURES |
    f.FEATURE_MOVBE |
    f.FEATURE_POPCNT |
    f.FEATURE_LZCNT |
    f.FEATURE_BMI1 |
    f.FEATURE_CRC32 |
    f.FEATURE_ADX |
    f.FEATURE_UMIP |
    f.FEATURE_NX |
    f.FEATURE_RDTSCP |
    f.FEATURE_TSC_DEADLINE,
  signature: SIGNATURE,
  resetEdx: RESET_EDX,
  maxBasicLeaf: MAX_BASIC_LEAF,
  maxExtendedLeaf: MAX_EXTENDED_LEAF,
});
