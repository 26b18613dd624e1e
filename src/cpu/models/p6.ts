/**
 * `--cpu p6`: the integer half of a Pentium II, the first of the family whose SYSENTER works and the first with PSE-36. It has no
 * extended leaves of CPUID, so no NX and no IA32_EFER.
 *
 * Intel SDM vol. 3B, “Architecture Compatibility”; vol. 2B, “SYSENTER” (which signatures have it).
 */
import * as f from '../../decoder/features.ts';
import { makeCpuModel } from '../cpu-model.ts';

/** What {@link P6} has. */
export const P6_FEATURES =
  f.FEATURE_I486 |
  f.FEATURE_CPUID |
  f.FEATURE_CR4 |
  f.FEATURE_VME |
  f.FEATURE_DE |
  f.FEATURE_PSE |
  f.FEATURE_TSC |
  f.FEATURE_MSR |
  f.FEATURE_PAE |
  f.FEATURE_CX8 |
  f.FEATURE_SEP |
  f.FEATURE_PGE |
  f.FEATURE_CMOV |
  f.FEATURE_PSE36 |
  f.FEATURE_RDPMC |
  f.FEATURE_NOPL;

/** Family 6, model 5, stepping 2. */
const SIGNATURE = 0x652;
const MAX_BASIC_LEAF = 2;

export const P6 = makeCpuModel({
  name: 'p6',
  features: P6_FEATURES,
  signature: SIGNATURE,
  maxBasicLeaf: MAX_BASIC_LEAF,
  maxExtendedLeaf: 0,
});
