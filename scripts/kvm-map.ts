/** Writes docs/kvm-map.md from the `@kvm` tags. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kvmMap, kvmTags, ROOT } from './kvm-tags.ts';

writeFileSync(join(ROOT, 'docs', 'kvm-map.md'), kvmMap(kvmTags()));
