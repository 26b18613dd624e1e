/**
 * Where files of the package are, for the sources, for the built modules and for the bundle alike (scripts/bundle.mjs puts modules
 * of any folder into one): paths are found from the package's folder, not from the module's own.
 */
import { existsSync } from 'node:fs';

const IS_SOURCE = import.meta.url.endsWith('.ts');

function packageFolder(): URL {
  // The bundle's own folder has a package.json, too: it says that its scripts are CommonJS.
  let folder = new URL('../', import.meta.url);
  while (!existsSync(new URL('package.json', folder))) {
    const parent = new URL('../', folder);
    if (parent.href === folder.href) break;
    folder = parent;
  }
  return folder;
}

/** The package's folder, which holds package.json. */
export const PACKAGE_FOLDER: URL = packageFolder();

/** A module that is run by itself (a worker, a child process), the same kind as this one. @param name for example `cli/host/child`. */
export function moduleFile(name: string): URL {
  return new URL(IS_SOURCE ? `src/${name}.ts` : `dist/${name}.js`, PACKAGE_FOLDER);
}
