import { existsSync, linkSync, mkdirSync, readFileSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';

import type { ValueMap } from '../../dsl/model/value.ts';
import type { NodeSession } from '../nodes/node-session.ts';

/**
 * Records of what runs inside the worker, in the job folders of the worker's own node and in the words of the node protocol, so that `status`,
 * `judged`, `lost` and `forget` work on them as on any job: `go` (the gate), `res` (the end), `lost`. The pid in `go` is 0: the protocol must
 * neither signal the worker nor take it for a supervisor. Beside them `w` points to the folder with the answer: it is there before `res` is.
 */

/** Facts of an answer that matchers and expressions see beside exit code and output. */
export interface Facts {
  readonly status?: number | null;
  readonly headers?: ValueMap;
  readonly sqlstate?: string | null;
  readonly rows?: readonly ValueMap[];
}

/** An answer as it is kept; stdout and stderr lie beside it as files. */
export interface AnswerRecord {
  readonly how: 'exit' | 'timeout' | 'cancel';
  readonly exitCode: number | null;
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly durationMs: number;
  readonly goTicks: number;
  readonly facts: Facts;
  /** `json` is the rows, not stdout parsed. */
  readonly jsonIsRows: boolean;
  /** Whether it took effect is not known, and it may not be sent again. */
  readonly outcomeUnknown: boolean;
}

/** Who took the gate: a process of this host. */
export interface Owner {
  readonly incarnation: string;
  readonly pid: number;
  readonly startTicks: string;
}

export type Gate = { readonly kind: 'free' } | { readonly kind: 'closed' } | ({ readonly kind: 'taken' } & Owner);

/** Takes the gate; false when somebody has it already, or has closed it. Rejects when the folder cannot be made. */
export function takeGate(folder: string, session: NodeSession): boolean {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return record(folder, 'go', ownerText(session));
}

/** Makes this process the owner of a job that may be executed again: the one before is dead. */
export function takeOver(folder: string, session: NodeSession): void {
  const next = join(folder, `again.${randomBytes(6).toString('hex')}`);
  writeFileSync(next, `${ownerText(session)}\n`);
  renameSync(next, join(folder, 'again'));
}

/** Closes the gate for good; false when it is not free. */
export function closeGate(folder: string): boolean {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return record(folder, 'go', 'closed');
}

export function lookAtGate(folder: string): Gate {
  const text = readLine(join(folder, 'again')) ?? readLine(join(folder, 'go'));
  if (text === undefined) return { kind: 'free' };
  if (text === 'closed') return { kind: 'closed' };
  const [incarnation = '', , owner = ''] = text.split('.');
  const [pid = '', startTicks = ''] = owner.split('_');
  return { kind: 'taken', incarnation, pid: Number(pid), startTicks };
}

/** Why the job was given up for good, if it was. */
export function lostReason(folder: string): string | undefined {
  return readLink(join(folder, 'lost'));
}

/** True while the process that took the gate lives. */
export function ownerLives(owner: Owner, session: NodeSession): boolean {
  return owner.incarnation === session.incarnation && startTicksOf(owner.pid) === owner.startTicks;
}

/** A folder for an answer that is being made. It counts only when `publish` has pointed to it. */
export function answerFolder(folder: string): string {
  const answer = join(folder, `w.${randomBytes(6).toString('hex')}`);
  mkdirSync(answer, { mode: 0o700 });
  return answer;
}

/** Records an answer, the first one for good. Rejects when the disk is full: then nobody will know it but us. */
export function publish(folder: string, answer: string, record: AnswerRecord, stderr: string, session: NodeSession): void {
  writeFileSync(join(answer, 'err'), stderr);
  writeFileSync(join(answer, 'answer.json'), JSON.stringify(record));
  if (!link(answer.slice(folder.length + 1), join(folder, 'w'))) {
    rmSync(answer, { recursive: true, force: true });
    return;
  }
  writeEnd(folder, record, session.incarnation, session.uptimeTicks());
}

/** The answer that counts, and its folder. */
export function readAnswer(folder: string, session: NodeSession): { readonly record: AnswerRecord; readonly folder: string } | undefined {
  const name = readLink(join(folder, 'w'));
  if (name === undefined) return undefined;
  const record = JSON.parse(readFileSync(join(folder, name, 'answer.json'), 'utf8')) as AnswerRecord;
  // Its process may have died between the two records.
  writeEnd(folder, record, session.incarnation, session.uptimeTicks());
  return { record, folder: join(folder, name) };
}

/** `res` as the node protocol writes it: whole or not there. */
function writeEnd(folder: string, record: AnswerRecord, incarnation: string, ticks: number): void {
  const target = join(folder, 'res');
  if (existsSync(target)) return;
  const kind = record.how === 'exit' ? 'e' : record.how === 'timeout' ? 't' : 'c';
  const part = join(folder, `res.${randomBytes(6).toString('hex')}`);
  writeFileSync(part, `${incarnation} ${record.goTicks} ${kind}.${record.exitCode ?? '-'}.${ticks}\n`);
  try {
    linkSync(part, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(part, { force: true });
  }
}

/** Incarnation, no pid, our own pid and start, uptime: the words of the protocol's gate. */
function ownerText(session: NodeSession): string {
  return `${session.incarnation}.0.${process.pid}_${ownTicks()}.${session.uptimeTicks()}`;
}

/** Creates a record, once: false when it is there. It is whole or not there: a link to a file that is named as it reads. */
function record(folder: string, name: string, text: string): boolean {
  writeFileSync(join(folder, text), `${text}\n`);
  return link(text, join(folder, name));
}

/** Creates a link; false when there is one. */
function link(text: string, path: string): boolean {
  try {
    symlinkSync(text, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (['ENOENT', 'EINVAL'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** The first line of a record, which the protocol may have written as a file or as a link. */
function readLine(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').split('\n', 1)[0];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return readLink(path);
    throw error;
  }
}

let own: string | undefined;

function ownTicks(): string {
  own ??= startTicksOf(process.pid) ?? '';
  return own;
}

/** When a process was started, in ticks of the kernel; `undefined` when it is gone or a zombie. A pid alone may be used again. */
function startTicksOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
