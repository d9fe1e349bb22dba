/** Who polls a task queue, readable in Temporal's UI and by `pollersOfBuild`. */
export interface WorkerIdentity {
  readonly build: string;
  readonly hostId: string;
  readonly pid: number;
}

/** `onetear/<build>/<host id>/<pid>` */
export function workerIdentity(identity: WorkerIdentity): string {
  return `onetear/${identity.build}/${identity.hostId}/${identity.pid}`;
}

/** `undefined` for a worker that is not ours. */
export function parseWorkerIdentity(text: string): WorkerIdentity | undefined {
  const match = /^onetear\/([^/]+)\/([^/]+)\/(\d+)$/.exec(text);
  const [, build, hostId, pid] = match ?? [];
  return build === undefined || hostId === undefined ? undefined : { build, hostId, pid: Number(pid) };
}
