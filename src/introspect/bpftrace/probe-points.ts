/**
 * What a probe is attached to: `kprobe:NAME`, `tracepoint:kvm:NAME`, `interval:ms:N`, BEGIN and END, with globs.
 */
import { TRACEPOINT_FIELDS, type TracepointName } from '../tracepoints.ts';
import type { PointNode } from './ast.ts';
import { PROBED_FUNCTIONS } from './kernel-functions.ts';
import { scriptError } from './parse.ts';

/** One place where a probe fires. */
export type ProbePoint =
  | { readonly kind: 'begin' | 'end'; readonly name: string }
  | { readonly kind: 'interval'; readonly name: string; readonly periodNs: number }
  | { readonly kind: 'kprobe' | 'kretprobe'; readonly name: string; readonly target: string }
  | { readonly kind: 'tracepoint'; readonly name: string; readonly target: TracepointName };

const KINDS: Readonly<Record<string, 'kprobe' | 'kretprobe' | 'tracepoint' | 'interval'>> = {
  kprobe: 'kprobe',
  k: 'kprobe',
  kretprobe: 'kretprobe',
  kr: 'kretprobe',
  tracepoint: 'tracepoint',
  t: 'tracepoint',
  interval: 'interval',
  i: 'interval',
};
const UNIT_NS: Readonly<Record<string, number>> = { us: 1e3, ms: 1e6, s: 1e9, hz: 0 };
const MAX_INTERVAL = 1e6;

function matching(glob: string, names: Iterable<string>): string[] {
  const pattern = glob.replace(/[.]/g, '\\.').replace(/\*/g, '.*').replace(/\?/g, '.');
  return [...names].filter((name) => new RegExp(`^${pattern}$`).test(name));
}

/** Everything that one point of a script means. @throws EmulatorError `E_INPUT` for what there is not. */
export function resolvePoint({ at, parts }: PointNode, script: string): ProbePoint[] {
  const [first = '', second = '', third = ''] = parts;
  if (parts.length === 1 && first === 'BEGIN') return [{ kind: 'begin', name: first }];
  if (parts.length === 1 && first === 'END') return [{ kind: 'end', name: first }];
  const kind = KINDS[first];
  const text = parts.join(':');
  if (kind === undefined) throw scriptError(script, at, `invalid probe type: ${first}`);
  if (kind === 'interval') {
    const unit = UNIT_NS[second];
    const n = /^\d+$/.test(third) ? Number(third) : 0;
    if (unit === undefined || parts.length !== 3 || n < 1 || n > MAX_INTERVAL) {
      throw scriptError(script, at, `${text}: an interval is interval:us:N, ms:N, s:N or hz:N`);
    }
    return [
      { kind, name: `interval:${second}:${third}`, periodNs: unit === 0 ? Math.ceil(1e9 / n) : n * unit },
    ];
  }
  if (kind === 'tracepoint') {
    const found =
      second === 'kvm' && parts.length === 3 ? matching(third, Object.keys(TRACEPOINT_FIELDS)) : [];
    if (found.length === 0) throw scriptError(script, at, `no tracepoint matches ${text}`);
    return found.map((target) => ({
      kind,
      name: `tracepoint:kvm:${target}`,
      target: target as TracepointName,
    }));
  }
  // `kprobe:kvm:NAME` names the module too.
  const glob = parts.length === 3 ? third : second;
  const found = parts.length <= 3 && glob !== '' ? matching(glob, PROBED_FUNCTIONS.keys()) : [];
  if (found.length === 0) throw scriptError(script, at, `${text}: could not resolve symbol`);
  return found.map((target) => ({ kind, name: `${kind}:${target}`, target }));
}
