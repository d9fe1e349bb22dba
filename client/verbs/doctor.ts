import { accessSync, constants, existsSync, mkdirSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { EXIT } from '../../report/exit-code.ts';
import type { CliIo } from '../cli/io.ts';
import { homeOf } from '../home.ts';
import { locateTemporal } from '../processes/locate-temporal.ts';
import { readBuildInfo } from '../../worker/build-info.ts';

interface Finding {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

const MIN_NODE = [20, 19] as const;
/** What the node protocol uses on local nodes. */
const TOOLS = ['sh', 'setsid', 'readlink', 'tail', 'head', 'cksum'] as const;

/** `onetear doctor`: what a run needs on this machine. Exit 0 when all is there, 11 when something is missing. */
export async function doctor(options: { readonly json?: true }, io: CliIo): Promise<number> {
  const findings = [checkNode(), check('build', () => describeBuild()), check('home', () => describeHome(io)), ...TOOLS.map(checkTool)];
  findings.push(await checkTemporal(io));
  const ok = findings.every((finding) => finding.ok);
  if (options.json) io.out(`${JSON.stringify({ v: 1, ok, checks: findings }, null, 2)}\n`);
  else io.out(findings.map(({ name, ok, detail }) => `${ok ? 'ok     ' : 'MISSING'} ${name}: ${detail}\n`).join(''));
  return ok ? EXIT.passed : EXIT.unreachable;
}

function checkNode(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const ok = major > MIN_NODE[0] || (major === MIN_NODE[0] && minor >= MIN_NODE[1]);
  return { name: 'node', ok, detail: `${process.versions.node}, ${MIN_NODE.join('.')} or later is needed` };
}

function describeBuild(): string {
  const { version, build } = readBuildInfo();
  return `${version}+${build}`;
}

function describeHome(io: CliIo): string {
  const { home } = homeOf(io);
  mkdirSync(home, { recursive: true });
  accessSync(home, constants.W_OK);
  return home;
}

function checkTool(name: string): Finding {
  const { stdout } = spawnSync('/bin/sh', ['-c', `command -v ${name}`], { encoding: 'utf8' });
  const path = stdout.trim();
  return { name, ok: path !== '' && (existsSync(path) || !path.startsWith('/')), detail: path || 'not on PATH' };
}

async function checkTemporal(io: CliIo): Promise<Finding> {
  try {
    const { path, serverVersion } = await locateTemporal({ env: { ...io.env }, home: homeOf(io).home });
    return { name: 'temporal', ok: true, detail: `${path}, server ${serverVersion}` };
  } catch (error) {
    return { name: 'temporal', ok: false, detail: error instanceof Error ? error.message : String(error) };
  }
}

function check(name: string, describe: () => string): Finding {
  try {
    return { name, ok: true, detail: describe() };
  } catch (error) {
    return { name, ok: false, detail: error instanceof Error ? error.message : String(error) };
  }
}
