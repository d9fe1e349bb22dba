import type { RunEvent } from '../../dsl/model/events.ts';
import type { Palette } from './palette.ts';
import { cutColumns, shortDuration, visibleLine } from './terminal-text.ts';

const MAX_LINES = 8;

/** What is going on now, from the events so far. Fed in the order of the stream. */
export interface LiveState {
  readonly apply: (event: RunEvent) => void;
  /** At most eight lines, each at most `width` columns: counts, what runs, faults in effect. Empty before the run started and after its end. */
  readonly render: (nowMs: number, palette: Palette, width: number) => string[];
}

interface Running {
  readonly testcase: string;
  readonly startedMs: number;
  step: string;
  stepStartedMs: number;
}

export function createLiveState(): LiveState {
  let total = 0;
  let startedMs: number | undefined;
  let ended = false;
  const verdicts = new Map<string, string>();
  const running = new Map<string, Running>();
  const faults = new Map<string, { readonly name: string; readonly node: string; readonly state: string }>();
  const attemptKey = (event: { readonly testcase: string; readonly attempt: number }): string => `${event.attempt} ${event.testcase}`;
  const apply = (event: RunEvent): void => {
    const at = Date.parse(event.ts);
    if (event.type === 'run_started') {
      startedMs = at;
      total = event.total;
    } else if (event.type === 'testcase_started') {
      running.set(attemptKey(event), { testcase: event.testcase, startedMs: at, step: '', stepStartedMs: at });
    } else if (event.type === 'step_started') {
      const name = event.testcase === '' ? 'suite hooks' : event.testcase;
      const known = running.get(attemptKey(event)) ?? { testcase: name, startedMs: at, step: '', stepStartedMs: at };
      running.set(attemptKey(event), { ...known, step: event.title, stepStartedMs: at });
    } else if (event.type === 'step_finished') {
      if (event.testcase === '') running.delete(attemptKey(event));
    } else if (event.type === 'testcase_finished') {
      running.delete(attemptKey(event));
      verdicts.set(event.testcase, event.verdict);
    } else if (event.type === 'fault') {
      const over = event.state === 'recovered' || event.state === 'void' || event.state === 'planned';
      const key = `${event.id} ${event.node}`;
      if (over) faults.delete(key);
      else faults.set(key, { name: event.name, node: event.node, state: event.state });
    } else {
      ended = true;
    }
  };
  const render = (nowMs: number, palette: Palette, width: number): string[] => {
    if (startedMs === undefined || ended) return [];
    const done = [...verdicts.values()];
    const bad = done.filter((verdict) => verdict !== 'passed' && verdict !== 'skipped').length;
    const lines = [`${done.length}/${total} done${bad > 0 ? `, ${bad} not passed` : ''}, ${shortDuration(nowMs - startedMs)}`];
    const active = [...faults.values()].map((fault) => `fault ${visibleLine(fault.name)} on ${visibleLine(fault.node)}: ${fault.state}`);
    const room = MAX_LINES - 1 - Math.min(2, active.length);
    const all = [...running.values()];
    const shown = all.length > room ? all.slice(0, room - 1) : all;
    for (const each of shown) {
      const step = each.step === '' ? '' : ` › ${visibleLine(each.step)} ${shortDuration(nowMs - each.stepStartedMs)}`;
      lines.push(`  ${visibleLine(each.testcase)}${step}`);
    }
    if (shown.length < all.length) lines.push(`  … ${all.length - shown.length} more running`);
    const faultLines = active.length > 2 ? [active[0] as string, `… ${active.length - 1} more faults in effect`] : active;
    return [
      ...lines.map((line, index) => (index === 0 ? palette.bold(cutColumns(line, width)) : cutColumns(line, width))),
      ...faultLines.map((line) => palette.yellow(cutColumns(`  ${line}`, width))),
    ];
  };
  return { apply, render };
}
