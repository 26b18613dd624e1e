/**
 * `--cpu 486`: the first i486SX. No FPU, and nothing that later processors ask CPUID about: no CPUID itself (EFLAGS.ID cannot be
 * set), no CR4, no time-stamp counter, no MSRs.
 *
 * Intel, “i486 Microprocessor Family Programmer's Reference Manual”; SDM vol. 3B, “Architecture Compatibility”.
 */
import { FEATURE_I486 } from '../../decoder/features.ts';
import { makeCpuModel } from '../cpu-model.ts';

/** i486SX: type 0, family 4, model 2, stepping 3. */
const SIGNATURE = 0x423;

export const I486 = makeCpuModel({
  name: '486',
  features: FEATURE_I486,
  signature: SIGNATURE,
  maxBasicLeaf: 0,
  maxExtendedLeaf: 0,
});
