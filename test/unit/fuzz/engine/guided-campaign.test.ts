import { describe, expect, it } from 'vitest';
import { type GuidedOptions, runGuidedCampaign } from '../../../../src/fuzz/engine/guided-campaign.ts';
import type { GuidedResult, GuidedRunner, GuidedTask } from '../../../../src/fuzz/engine/guided-worker.ts';

interface Sent extends GuidedTask {
  readonly worker: number;
}

/** A runner that notes its tasks; each text is a number, and covers the feature of that number. */
function runner(workers: number, answer: (sent: Sent, nth: number) => Partial<GuidedResult>) {
  const sent: Sent[] = [];
  const made: GuidedRunner = {
    workers,
    run(worker, task) {
      const own = sent.filter((earlier) => earlier.worker === worker).length;
      sent.push({ worker, ...task });
      const added = task.texts.map((text) => ({ text, features: [Number(text)], isImported: true }));
      const rest = { counts: { steps: 2 }, refused: [], finding: null, edges: 9 };
      const corpus = { corpus: 4, favoured: 2, stable: 3, cycles: 1 };
      return Promise.resolve({
        runs: task.runs,
        added,
        ...rest,
        ...corpus,
        ...answer({ worker, ...task }, own),
      });
    },
    close: () => Promise.resolve(),
  };
  return Object.assign(made, { sent });
}

const own = (text: string) => ({ text, features: [Number(text)], isImported: false });

function options(more: Partial<GuidedOptions> = {}): GuidedOptions & { readonly kept: string[] } {
  const kept: string[] = [];
  let ms = 0;
  return {
    runs: 1000,
    timeMs: Number.POSITIVE_INFINITY,
    texts: [],
    now: () => ms++,
    isStopped: () => false,
    takeArrived: () => [],
    keep: (text, from) => kept.push(`${text} ${from}`),
    refuse: () => {},
    progress: () => {},
    kept,
    ...more,
  };
}

describe('runGuidedCampaign', () => {
  it.each([1, 3])('runs as many new cases as were asked for on %i workers', async (workers) => {
    const threads = runner(workers, () => ({}));
    const end = await runGuidedCampaign(threads, options());
    expect(end).toMatchObject({ runs: 1000, allEdges: 9, stability: 0.75, finding: null });
    expect(end.counts).toEqual({ steps: 2 * threads.sent.length });
    expect(threads.sent.reduce((sum, { runs }) => sum + runs, 0)).toBe(1000);
  });

  it('begins every worker with the corpus, and tells each what the others found, once', async () => {
    const threads = runner(2, ({ worker }, nth) => (nth === 0 && worker === 0 ? { added: [own('80')] } : {}));
    const setting = options({ texts: ['8', '16'] });
    const end = await runGuidedCampaign(threads, setting);
    const texts = (worker: number) =>
      threads.sent.filter((task) => task.worker === worker).flatMap((task) => task.texts);
    expect(texts(0)).toEqual(['8', '16']);
    expect(texts(1)).toEqual(['8', '16', '80']);
    expect(setting.kept).toEqual(['80 here']);
    expect(end).toMatchObject({ corpus: 3, added: 1, edges: 3, features: 3 });
  });

  it('keeps only the first of two cases that cover the same', async () => {
    const threads = runner(2, (_sent, nth) => (nth === 0 ? { added: [own('24')] } : {}));
    const setting = options();
    expect(await runGuidedCampaign(threads, setting)).toMatchObject({ corpus: 1, added: 1 });
    expect(setting.kept).toEqual(['24 here']);
  });

  it('gives what arrives to all workers and keeps it where it is news', async () => {
    const arriving = [['40'], ['8', '48']];
    const setting = options({ texts: ['8'], takeArrived: () => arriving.shift() ?? [] });
    const threads = runner(2, () => ({}));
    await runGuidedCampaign(threads, setting);
    for (const worker of [0, 1]) {
      const texts = threads.sent.filter((task) => task.worker === worker).flatMap((task) => task.texts);
      expect(texts.toSorted()).toEqual(['40', '48', '8', '8']);
    }
    expect(setting.kept).toEqual(['40 elsewhere', '48 elsewhere']);
  });

  it('names the text that is no case', async () => {
    const refused: string[] = [];
    const threads = runner(1, (_sent, nth) => (nth === 0 ? { refused: [{ index: 1, why: 'odd' }] } : {}));
    await runGuidedCampaign(
      threads,
      options({ texts: ['8', '16'], refuse: (text, why) => refused.push(`${text}: ${why}`) }),
    );
    expect(refused).toEqual(['16: odd']);
  });

  it('ends with a finding, when it is stopped, and when the time is over', async () => {
    const finding = { lines: ['x'], differences: ['y'] };
    const found = await runGuidedCampaign(
      runner(1, (_sent, nth) => (nth === 2 ? { finding, runs: 5 } : {})),
      options(),
    );
    expect(found).toMatchObject({ finding, runs: 64 + 128 + 5 });
    let asked = 0;
    const stopped = options({ isStopped: () => asked++ >= 1 });
    expect(
      await runGuidedCampaign(
        runner(1, () => ({})),
        stopped,
      ),
    ).toMatchObject({ runs: 64 });
    expect(
      await runGuidedCampaign(
        runner(1, () => ({})),
        options({ timeMs: 0 }),
      ),
    ).toMatchObject({ runs: 0 });
  });
});
