import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** What `dist/build.json` says about the engine that runs. */
export interface BuildInfo {
  /** `version` of package.json. */
  readonly version: string;
  /** Content hash of dist/, twelve hex digits. */
  readonly build: string;
}

/** The folder of the built program, also for code that runs from its TypeScript source (tests). */
export function programDir(): string {
  const here = fileURLToPath(import.meta.url);
  const root = path.dirname(path.dirname(here));
  return here.endsWith('.ts') ? path.join(root, 'dist') : root;
}

/** Reads `build.json` each time: an upgrade in place must be seen. Throws with code `ENGINE_NOT_BUILT` when there is none. */
export function readBuildInfo(): BuildInfo {
  const file = path.join(programDir(), 'build.json');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw Object.assign(new Error(`${file} is missing: run "npm run build"`, { cause: error }), { code: 'ENGINE_NOT_BUILT' });
  }
  const { version, build } = JSON.parse(text) as Partial<BuildInfo>;
  if (typeof version !== 'string' || typeof build !== 'string') {
    throw Object.assign(new Error(`${file} holds no build: run "npm run build"`), { code: 'ENGINE_NOT_BUILT' });
  }
  return { version, build };
}
