/**
 * `pio86 fuzz devices --oracle qtest`: a QEMU beside this process for as long as the command runs.
 */
import { localRunner } from '../../fuzz/engine/shard.ts';
import { createDevicesQtestTarget } from '../../fuzz/targets/devices.ts';
import type { CommandContext } from '../command.ts';
import { fuzzCampaign, replayCase } from '../fuzz/campaign-command.ts';
import type { FuzzCommandOptions } from '../fuzz/fuzz-options.ts';
import { QemuProcess } from './qemu-process.ts';

/** Carries out the command. @returns the exit code. @throws CliError (absent) without QEMU, EmulatorError `E_ORACLE`. */
export async function fuzzWithQemu(
  context: CommandContext,
  name: string,
  options: FuzzCommandOptions,
): Promise<number> {
  const qemu = new QemuProcess();
  try {
    const target = createDevicesQtestTarget(qemu);
    if (options.replay !== undefined) return await replayCase(context, target, options.replay, options);
    return await fuzzCampaign(context, name, options, localRunner(target));
  } finally {
    await qemu.close();
  }
}
