/**
 * The files of deploy/: they parse, hold what their readers require, and start `pio86` with options that exist.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { COMMANDS } from '../../src/cli/run-cli.ts';

const DEPLOY = join(import.meta.dirname, '../../deploy');
const UNITS = ['pio86-coordinator@.service', 'pio86-worker.service'];
const read = (...path: string[]): string => readFileSync(join(DEPLOY, ...path), 'utf8');
const documents = parseAllDocuments(read('kubernetes', 'campaign.yaml'));
const compose = parse(read('docker', 'compose.yaml'));

/** Options of a command line that its command does not have. */
function unknownOptions(argv: readonly string[]): string[] {
  const spec = COMMANDS.find(({ name }) => name === argv[0]);
  if (spec === undefined) return [`no command ${argv[0]}`];
  const known = spec.options.map(({ flags }) => flags.split(' ')[0]);
  return argv
    .map((text) => text.split('=')[0] ?? '')
    .filter((text) => text.startsWith('--') && !known.includes(text));
}

const jobs = documents.map((document) => document.toJS()).filter(({ kind }) => kind === 'Job');

/** Whether a command is there at all: unlike redis-server it is not installed for the tests. */
function answers(command: string, ...argv: string[]): boolean {
  return spawnSync(command, argv, { stdio: 'ignore' }).status === 0;
}

describe('the files of deploy/', () => {
  it('start commands with options that exist', () => {
    const lines = [
      ...UNITS.map(
        (unit) => /^ExecStart=\/usr\/bin\/pio86 (.*)$/m.exec(read('systemd', unit))?.[1]?.split(' ') ?? [],
      ),
      compose.services.coordinator.command,
      compose.services.worker.command,
      ...jobs.map(({ spec }) => spec.template.spec.containers[0].args),
    ];
    expect(lines).toHaveLength(6);
    expect(lines.flatMap(unknownOptions)).toEqual([]);
  });

  it('have a Redis that keeps everything', () => {
    const redis = documents.map((document) => document.toJS()).find(({ kind }) => kind === 'Deployment');
    for (const argv of [compose.services.redis.command, redis.spec.template.spec.containers[0].args]) {
      expect(argv.join(' ')).toContain('--appendonly yes');
      expect(argv.join(' ')).toContain('noeviction');
    }
  });

  it('hold Kubernetes objects that are complete', () => {
    for (const document of documents) {
      expect(document.errors).toEqual([]);
      expect(document.toJS()).toMatchObject({
        apiVersion: expect.any(String),
        kind: expect.any(String),
        metadata: { name: expect.stringMatching(/^pio86-/) },
        spec: expect.any(Object),
      });
    }
    for (const { spec } of jobs) {
      // Both podFailurePolicy and backoffLimitPerIndex ask for it.
      expect(spec.template.spec.restartPolicy).toBe('Never');
      const [{ onExitCodes }] = spec.podFailurePolicy.rules;
      expect(onExitCodes.containerName).toBe(spec.template.spec.containers[0].name);
      expect(onExitCodes.values).not.toContain(0);
    }
    const { spec } = jobs.find(({ metadata }) => metadata.name === 'pio86-workers');
    expect(spec).toMatchObject({ completionMode: 'Indexed', completions: spec.parallelism });
    expect(spec.backoffLimitPerIndex).toBeGreaterThan(0);
  });

  it('hold services of Docker Compose that are complete', () => {
    for (const [name, service] of Object.entries<{ image?: string; build?: object }>(compose.services)) {
      expect(service.image ?? service.build, name).toBeDefined();
    }
    expect(compose.services.worker.build).toEqual(compose.services.coordinator.build);
    expect(compose.services.coordinator.ports).toEqual(['127.0.0.1:8086:8086']);
    expect(compose.volumes).toHaveProperty('redis');
  });

  it('copy nothing into the image that is not there', () => {
    const copied = [...read('docker', 'Dockerfile').matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(
      ([, names = '']) => names.split(' '),
    );
    expect(copied).toContain('src');
    for (const name of copied) expect(read('docker', 'Dockerfile.dockerignore')).toContain(`!${name}\n`);
  });

  it.skipIf(!answers('systemd-analyze', '--version'))(
    'hold units that systemd-analyze verifies (needs systemd-analyze)',
    () => {
      const folder = mkdtempSync(join(tmpdir(), 'units-'));
      try {
        for (const unit of UNITS) {
          // It asks that the program is there.
          const path = join(folder, unit.replace('@', '@string-io'));
          writeFileSync(path, read('systemd', unit).replace('/usr/bin/pio86', process.execPath));
          const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', path], {
            encoding: 'utf8',
          });
          expect(stderr).toBe('');
          expect(status).toBe(0);
        }
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );

  it.skipIf(!answers('docker', 'compose', 'version'))(
    'hold what Docker Compose accepts (needs docker compose)',
    () => {
      const argv = ['compose', '-f', join(DEPLOY, 'docker', 'compose.yaml'), 'config', '--quiet'];
      const { status, stderr } = spawnSync('docker', argv, { encoding: 'utf8' });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    },
  );

  it.skipIf(!answers('kubeconform', '-v'))('hold what kubeconform accepts (needs kubeconform)', () => {
    const argv = ['-strict', join(DEPLOY, 'kubernetes', 'campaign.yaml')];
    const { status, stdout } = spawnSync('kubeconform', argv, { encoding: 'utf8' });
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
  });
});
