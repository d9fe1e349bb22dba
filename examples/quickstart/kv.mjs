// A small replicated key-value service: one leader by majority vote, writes acknowledged once a majority has them on disk.
// It exists to be broken: `--lossy` acknowledges before replicating, so a leader killed at the wrong moment takes acknowledged writes with it.
//
//   node kv.mjs --id n1 --peers n1=7101,n2=7102,n3=7103 --data DIR [--lossy]
//
//   PUT /kv/KEY (body = value)   200 acknowledged · 409 not the leader (who is, if known) · 503 no majority
//   GET /kv                      all committed pairs, from the leader only
//   GET /status                  {id, role, term, leader, committed}
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values: flags } = parseArgs({
  options: { id: { type: 'string' }, peers: { type: 'string' }, data: { type: 'string' }, lossy: { type: 'boolean', default: false } },
});
const ports = Object.fromEntries(flags.peers.split(',').map((pair) => pair.split('=')));
const others = Object.keys(ports).filter((id) => id !== flags.id);
const majority = Math.floor((others.length + 1) / 2) + 1;
const HEARTBEAT_MS = 60;
const LAZY_MS = 500; // how long a lossy leader keeps what it has acknowledged to itself
const electionMs = () => 250 + Math.random() * 250;

mkdirSync(flags.data, { recursive: true });
const logFile = join(flags.data, 'log.ndjson');
const voteFile = join(flags.data, 'vote.json');
const readLines = (file) => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : []);

/** Entries `{term, key, value}`; index = position. A torn last line (crash in the middle of a write) is dropped. */
let log = readLines(logFile).flatMap((line) => {
  try {
    return [JSON.parse(line)];
  } catch {
    return [];
  }
});
let { term, votedFor } = existsSync(voteFile) ? JSON.parse(readFileSync(voteFile, 'utf8')) : { term: 0, votedFor: null };
let role = 'follower';
let leader = null;
let committed = 0;
let deadline = Date.now() + electionMs();

const lastTerm = () => (log.length > 0 ? log[log.length - 1].term : 0);
const saveVote = () => writeFileSync(voteFile, JSON.stringify({ term, votedFor }));
const append = (entries) => {
  log.push(...entries.map((entry) => ({ ...entry, at: Date.now() })));
  appendFileSync(logFile, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
};
const truncate = (length) => {
  log = log.slice(0, length);
  writeFileSync(logFile, log.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
};
const follow = (newTerm, newLeader) => {
  if (newTerm > term) {
    term = newTerm;
    votedFor = null;
    saveVote();
  }
  role = 'follower';
  leader = newLeader;
  deadline = Date.now() + electionMs();
};

/** How much of the log a leader is willing to send: all of it, unless it is lossy. */
const sendable = () => (flags.lossy ? log.findLastIndex((entry) => entry.key === '' || entry.at < Date.now() - LAZY_MS) + 1 : log.length);

async function call(peer, path, body) {
  const response = await fetch(`http://127.0.0.1:${ports[peer]}${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(200),
  });
  return response.json();
}

/** Sends what a follower lacks, stepping back to where the logs agree; resolves true when it has everything up to now. */
async function replicate(peer, from) {
  for (let previous = from; previous >= 0; previous = Math.max(0, previous - 50)) {
    const upTo = sendable();
    const previousTerm = previous > 0 ? log[previous - 1].term : 0;
    const message = { term, leader: flags.id, previous, previousTerm, entries: log.slice(previous, upTo), committed };
    const answer = await call(peer, '/append', message).catch(() => null);
    if (answer === null) return false;
    if (answer.term > term) {
      follow(answer.term, null);
      return false;
    }
    if (answer.ok) return upTo <= answer.length;
    if (previous === 0) return false;
  }
  return false;
}

async function replicateToMajority() {
  const goal = sendable();
  const results = await Promise.all(others.map((peer) => replicate(peer, Math.max(0, goal - 1))));
  const copies = 1 + results.filter(Boolean).length;
  if (role === 'leader' && copies >= majority) committed = Math.max(committed, goal);
  return copies >= majority;
}

async function stand() {
  role = 'candidate';
  term += 1;
  votedFor = flags.id;
  saveVote();
  deadline = Date.now() + electionMs();
  const mine = { term, candidate: flags.id, length: log.length, lastTerm: lastTerm() };
  const answers = await Promise.all(others.map((peer) => call(peer, '/vote', mine).catch(() => ({ granted: false, term: 0 }))));
  const newest = Math.max(...answers.map((answer) => answer.term));
  if (newest > term) return follow(newest, null);
  if (role !== 'candidate' || mine.term !== term) return undefined;
  if (1 + answers.filter((answer) => answer.granted).length < majority) return undefined;
  role = 'leader';
  leader = flags.id;
  append([{ term, key: '', value: '' }]); // entries of earlier terms count as committed once one of this term is
  return replicateToMajority();
}

const handlers = {
  '/vote': ({ term: theirs, candidate, length, lastTerm: theirLast }) => {
    if (theirs > term) follow(theirs, null);
    const upToDate = theirLast > lastTerm() || (theirLast === lastTerm() && length >= log.length);
    const granted = theirs === term && (votedFor === null || votedFor === candidate) && upToDate;
    if (granted) {
      votedFor = candidate;
      saveVote();
      deadline = Date.now() + electionMs();
    }
    return { granted, term };
  },
  '/append': ({ term: theirs, leader: theirLeader, previous, previousTerm, entries, committed: theirCommitted }) => {
    if (theirs < term) return { ok: false, term, length: log.length };
    follow(theirs, theirLeader);
    if (log.length < previous || (previous > 0 && log[previous - 1].term !== previousTerm)) return { ok: false, term, length: log.length };
    const agreed = entries.findIndex((entry, i) => log[previous + i]?.term !== entry.term);
    if (agreed >= 0) {
      if (log.length > previous + agreed) truncate(previous + agreed);
      append(entries.slice(agreed));
    }
    committed = Math.max(committed, Math.min(theirCommitted, log.length));
    return { ok: true, term, length: log.length };
  },
};

async function put(key, value) {
  if (role !== 'leader') return [409, { error: 'not the leader', leader }];
  append([{ term, key, value }]);
  if (flags.lossy) return [200, { acknowledged: true }]; // the bug: nobody else has it yet
  return (await replicateToMajority()) ? [200, { acknowledged: true }] : [503, { error: 'no majority' }];
}

const server = createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  const path = new URL(request.url, 'http://localhost').pathname;
  let [status, answer] = [404, { error: 'not found' }];
  if (request.method === 'POST' && handlers[path]) [status, answer] = [200, handlers[path](JSON.parse(body))];
  else if (request.method === 'PUT' && path.startsWith('/kv/')) [status, answer] = await put(decodeURIComponent(path.slice(4)), body);
  else if (path === '/status') [status, answer] = [200, { id: flags.id, role, term, leader, committed }];
  else if (path === '/kv' && role !== 'leader') [status, answer] = [409, { error: 'not the leader', leader }];
  else if (path === '/kv')
    [status, answer] = [
      200,
      Object.fromEntries(
        log
          .slice(0, committed)
          .filter((entry) => entry.key)
          .map((entry) => [entry.key, entry.value]),
      ),
    ];
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
});
server.listen(Number(ports[flags.id]), '127.0.0.1');

setInterval(() => void (role === 'leader' ? replicateToMajority() : undefined), HEARTBEAT_MS);
setInterval(() => void (role !== 'leader' && Date.now() > deadline ? stand() : undefined), 25);
