/**
 * What one processor has and another has not: one bit each. The operation table names the feature of every instruction that
 * not all models have; cpu/cpu-features.ts says where CPUID shows it, cpu/models/ which model has it.
 */

/** BSWAP, XADD, CMPXCHG, INVLPG, INVD, WBINVD: new with the 486, so that every model has them. */
export const FEATURE_I486 = 1 << 0;
/** The CPUID instruction, and with it EFLAGS.ID. */
export const FEATURE_CPUID = 1 << 1;
/** The register CR4. */
export const FEATURE_CR4 = 1 << 2;
/** Virtual-mode extensions: CR4.VME and PVI, EFLAGS.VIF and VIP. */
export const FEATURE_VME = 1 << 3;
/** Debugging extensions: CR4.DE. */
export const FEATURE_DE = 1 << 4;
/** 4 MiB pages. */
export const FEATURE_PSE = 1 << 5;
/** RDTSC, CR4.TSD. */
export const FEATURE_TSC = 1 << 6;
/** RDMSR, WRMSR. */
export const FEATURE_MSR = 1 << 7;
/** Physical-address extension: CR4.PAE. */
export const FEATURE_PAE = 1 << 8;
/** CMPXCHG8B. */
export const FEATURE_CX8 = 1 << 9;
/** SYSENTER, SYSEXIT and their MSRs. */
export const FEATURE_SEP = 1 << 10;
/** Global pages: CR4.PGE. */
export const FEATURE_PGE = 1 << 11;
/** CMOVcc. */
export const FEATURE_CMOV = 1 << 12;
/** 36-bit addresses of 4 MiB pages. */
export const FEATURE_PSE36 = 1 << 13;
/** RDPMC, CR4.PCE. */
export const FEATURE_RDPMC = 1 << 14;
/** The hint NOPs: 0F 0D, 0F 18–1F. */
export const FEATURE_NOPL = 1 << 15;
/** MOVBE. */
export const FEATURE_MOVBE = 1 << 16;
/** POPCNT. */
export const FEATURE_POPCNT = 1 << 17;
/** LZCNT; BSR on a processor without it. */
export const FEATURE_LZCNT = 1 << 18;
/** ANDN BEXTR BLSI BLSMSK BLSR; TZCNT, which is BSF on a processor without it. */
export const FEATURE_BMI1 = 1 << 19;
/** CRC32, of all that is new with SSE4.2. */
export const FEATURE_CRC32 = 1 << 20;
/** ADCX, ADOX. */
export const FEATURE_ADX = 1 << 21;
/** User-mode instruction prevention: CR4.UMIP. */
export const FEATURE_UMIP = 1 << 22;
/** Execute-disable pages: IA32_EFER.NXE. */
export const FEATURE_NX = 1 << 23;
/** RDTSCP, IA32_TSC_AUX. */
export const FEATURE_RDTSCP = 1 << 24;
/** The local APIC timer's TSC-deadline mode. */
export const FEATURE_TSC_DEADLINE = 1 << 25;

/** Everything: what tools decode with that know of no processor. */
export const ALL_FEATURES = -1;
