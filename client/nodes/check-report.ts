import { FAULT_TOOLS, NEEDED_TOOLS } from './check-script.ts';

/** What one node can do, from the lines of the check script. */
export interface NodeCheck {
  readonly name: string;
  readonly connection: string;
  readonly host: string;
  readonly reachable: boolean;
  /** Why it is not. */
  readonly reason: string | null;
  readonly system: string | null;
  readonly user: string | null;
  /** Program behind `/bin/sh`. */
  readonly shell: string | null;
  /** `yes` = the user is root, `sudo` = root without a password, `no`. */
  readonly root: 'yes' | 'sudo' | 'no' | null;
  /** The node's clock minus ours, ms; null when unknown. 0 on this machine. */
  readonly clock_offset_ms: number | null;
  readonly free_kb: number | null;
  /** Folder for jobs. */
  readonly jobs: string | null;
  readonly tools: { readonly [tool: string]: boolean };
  /** Needed for any command at all, and not there. */
  readonly missing: readonly string[];
  readonly faults: readonly FaultCheck[];
}

/** One kind of fault and what the node lacks for it; `missing` empty = it can be injected and undone there. */
export interface FaultCheck {
  readonly fault: string;
  readonly ok: boolean;
  readonly missing: readonly string[];
}

interface FaultNeed {
  readonly fault: string;
  /** All of these, each one of several. */
  readonly tools?: readonly (readonly string[])[];
  readonly root?: true;
  /** Bit of CapEff, and its name. */
  readonly capability?: readonly [bit: number, name: string];
  readonly netem?: true;
}

const NET_ADMIN = [12, 'CAP_NET_ADMIN'] as const;

/** The basic faults and what their usual commands need. */
const FAULTS: readonly FaultNeed[] = [
  { fault: 'process kill, stop, restart', tools: [['pkill']] },
  { fault: 'service stop, kill', tools: [['systemctl']], root: true },
  { fault: 'network partition, port block', tools: [['nft', 'iptables']], root: true, capability: NET_ADMIN },
  { fault: 'network delay, loss, rate', tools: [['tc']], root: true, capability: NET_ADMIN, netem: true },
  { fault: 'link down', tools: [['ip']], root: true, capability: NET_ADMIN },
  { fault: 'cpu, memory, io stress' },
  { fault: 'disk fill', tools: [['fallocate', 'dd']] },
  { fault: 'clock jump', tools: [['date']], root: true, capability: [25, 'CAP_SYS_TIME'] },
  { fault: 'reboot', tools: [['reboot', 'systemctl']], root: true, capability: [22, 'CAP_SYS_BOOT'] },
];

/** Reads the script's lines; `clockOffsetMs` comes from the first contact of the run. */
export function nodeCheck(
  node: { readonly name: string; readonly connection: string; readonly host: string },
  found: { readonly stdout: string } | { readonly reason: string },
  clockOffsetMs: number | null,
): NodeCheck {
  const base = { name: node.name, connection: node.connection, host: node.host, clock_offset_ms: clockOffsetMs };
  if ('reason' in found) {
    const nothing = { system: null, user: null, shell: null, root: null, free_kb: null, jobs: null, tools: {}, missing: [], faults: [] };
    return { ...base, ...nothing, reachable: false, reason: found.reason };
  }
  const values = new Map(
    found.stdout.split('\n').map((line) => [line.slice(0, Math.max(0, line.indexOf('='))), line.slice(line.indexOf('=') + 1)]),
  );
  const text = (key: string): string | null => values.get(key)?.trim() || null;
  const tools = Object.fromEntries(
    [...new Set<string>([...NEEDED_TOOLS, ...FAULT_TOOLS])].map((tool) => [tool, text(`tool.${tool}`) !== null]),
  );
  const root = text('root');
  const free = Number(text('free_kb') ?? Number.NaN);
  const facts = {
    tools,
    root: root === 'yes' ? ('yes' as const) : root === 'sudo' ? ('sudo' as const) : ('no' as const),
    caps: text('caps'),
    netem: text('netem'),
  };
  return {
    ...base,
    reachable: true,
    reason: null,
    system: text('system'),
    user: text('user'),
    shell: text('shell'),
    root: facts.root,
    free_kb: Number.isFinite(free) ? free : null,
    jobs: text('jobs'),
    tools,
    missing: NEEDED_TOOLS.filter((tool) => tools[tool] !== true),
    faults: FAULTS.map((need) => faultCheck(need, facts)),
  };
}

function faultCheck(
  need: FaultNeed,
  facts: { readonly tools: NodeCheck['tools']; readonly root: string; readonly caps: string | null; readonly netem: string | null },
): FaultCheck {
  const missing = [
    ...(need.tools ?? []).filter((any) => !any.some((tool) => facts.tools[tool] === true)).map((any) => any.join(' or ')),
    ...(need.root && facts.root === 'no' ? ['root'] : []),
    ...(need.capability && facts.root !== 'no' && !hasCapability(facts.caps, need.capability[0]) ? [need.capability[1]] : []),
    ...(need.netem && facts.netem !== 'yes' ? [facts.netem === 'no' ? 'sch_netem' : 'sch_netem (not certain)'] : []),
  ];
  return { fault: need.fault, ok: missing.length === 0, missing };
}

/** A system without capabilities in /proc has none to lack. */
function hasCapability(caps: string | null, bit: number): boolean {
  return caps === null || !/^[0-9a-f]+$/iu.test(caps) || ((BigInt(`0x${caps}`) >> BigInt(bit)) & 1n) === 1n;
}
