/**
 * The status of a guided campaign while it runs: a screen that is drawn over on a terminal, a line every few seconds elsewhere.
 */
import { clearScreenDown, moveCursor } from 'node:readline';
import type { GuidedState } from '../../fuzz/engine/guided-campaign.ts';
import { progressLine, screenLines } from '../../fuzz/report/guided-report.ts';
import type { CommandContext } from '../command.ts';
import type { TerminalWritable } from '../io.ts';

/** How often the screen changes, and how far lines are apart. */
const SCREEN_MS = 250;
const LINE_MS = 5000;
const DEFAULT_COLUMNS = 80;

/** @param title first line of the screen. @returns who is told of the campaign. */
export function guidedStatus({ io, err }: CommandContext, title: string): (state: GuidedState) => void {
  const isScreen = io.stderr.isTTY === true && io.env.TERM !== 'dumb';
  const show = isScreen
    ? screen(io.stderr, title)
    : (state: GuidedState) => err.write(`${progressLine(state)}\n`);
  const everyMs = isScreen ? SCREEN_MS : LINE_MS;
  let next = isScreen ? 0 : everyMs;
  return (state) => {
    if (state.elapsedMs < next && state.finding === null) return;
    next = state.elapsedMs + everyMs;
    show(state);
  };
}

function screen(stream: TerminalWritable, title: string): (state: GuidedState) => void {
  let drawn = 0;
  return (state) => {
    const columns = (stream as { columns?: number }).columns ?? DEFAULT_COLUMNS;
    const lines = screenLines(title, state).map((line) => line.slice(0, columns - 1));
    moveCursor(stream, 0, -drawn);
    clearScreenDown(stream);
    stream.write(`${lines.join('\n')}\n`);
    drawn = lines.length;
  };
}
