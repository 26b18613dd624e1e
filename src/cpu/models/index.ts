/** The processor models by name. */
import type { CpuModel, CpuModelName } from '../cpu-model.ts';
import { I486 } from './i486.ts';
import { MAX } from './max.ts';
import { P6 } from './p6.ts';

/** In historical order. */
export const CPU_MODELS: readonly CpuModel[] = [I486, P6, MAX];

/** Their names, as `--cpu` lists them. */
export const CPU_MODEL_NAMES: readonly CpuModelName[] = CPU_MODELS.map(({ name }) => name);

/** The model of a name; undefined for none. */
export function cpuModelByName(name: unknown): CpuModel | undefined {
  return CPU_MODELS.find((model) => model.name === name);
}
