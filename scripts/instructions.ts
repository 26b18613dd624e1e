/** Writes docs/instructions.md: every encoding of the operation table. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { instructionsPage } from './instructions-page.ts';
import { ROOT } from './kvm-tags.ts';

writeFileSync(join(ROOT, 'docs', 'instructions.md'), instructionsPage());
