/** Entry of the process that does one job and prints what came out as one line of JSON. */
import { lookUp } from './jobs/bus-lookup.ts';
import type { Job, JobResult } from './jobs/job.ts';
import { resetSnapshot } from './jobs/reset-snapshot.ts';
import { residentMemory } from './jobs/resident-memory.ts';
import { runRom } from './jobs/run-rom.ts';

function carryOut(job: Job): JobResult {
  switch (job.kind) {
    case 'rom':
      return runRom(job);
    case 'lookup':
      return lookUp(job.devices, job.seconds);
    case 'memory':
      return residentMemory(job);
    default:
      return resetSnapshot(job);
  }
}

process.stdout.write(`${JSON.stringify(carryOut(JSON.parse(process.argv[2] ?? '{}') as Job))}\n`);
