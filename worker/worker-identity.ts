/** Who polls a task queue, readable in Temporal's UI and by `pollersOfBuild`. */
export interface WorkerIdentity {
  readonly build: string;
  readonly hostId: string;
  readonly pid: number;
  /** Fingerprints of its encryption keys, the encrypting one first; empty without encryption. */
  readonly keys: readonly string[];
}

/** `onetear/<build>/<host id>/<pid>[/<keys>]` */
export function workerIdentity(identity: WorkerIdentity): string {
  const keys = identity.keys.length === 0 ? '' : `/${identity.keys.join('.')}`;
  return `onetear/${identity.build}/${identity.hostId}/${identity.pid}${keys}`;
}

/** `undefined` for a worker that is not ours. */
export function parseWorkerIdentity(text: string): WorkerIdentity | undefined {
  const match = /^onetear\/([^/]+)\/([^/]+)\/(\d+)(?:\/([0-9a-f.]+))?$/.exec(text);
  const [, build, hostId, pid, keys] = match ?? [];
  return build === undefined || hostId === undefined ? undefined : { build, hostId, pid: Number(pid), keys: keys?.split('.') ?? [] };
}
