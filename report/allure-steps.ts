import { slug } from '../dsl/expand/slug.ts';
import type { FaultRecord, StepRecord, TestcaseRecord } from '../dsl/model/record.ts';
import type { NodeResult } from '../dsl/model/result.ts';
import type { Verdict } from '../dsl/model/verdict.ts';
import { isBad } from '../dsl/model/verdict.ts';
import type { AllureAttachment, AllureDetails, AllureFile, AllureParameter, AllureStatus, AllureStep } from './allure-model.ts';
import { excerptText, stepChecks } from './event-builders.ts';
import { isRoleStep } from './report-model.ts';
import { uuidOf } from './stable-uuid.ts';
import { capStart, printable, stripAnsi } from './text.ts';

/** Allure knows no void: a fault that was not in effect leaves the question open, as broken does. */
export const ALLURE_STATUS: { readonly [verdict in Verdict]: AllureStatus } = {
  passed: 'passed',
  failed: 'failed',
  broken: 'broken',
  void: 'broken',
  skipped: 'skipped',
};

/** Larger logs are not copied into the results; the report names their file in `artifacts/`. */
const MAX_ATTACHMENT_BYTES = 1_048_576;
const MAX_PARAMETER_BYTES = 1024;

/** Collects what the steps of one attempt need: names of files by position, never by content, and no more than the page can carry. */
export interface StepContext {
  readonly record: TestcaseRecord;
  readonly attemptUuid: string;
  readonly files: AllureFile[];
  readonly maxFiles: number;
  /** Steps that may still be made. */
  room: number;
  left: number;
}

/** One step with its hooks, nodes and faults inside. */
export function allureStep(step: StepRecord, context: StepContext, name = step.title): AllureStep | undefined {
  if (!takeRoom(context)) return undefined;
  const { record } = context;
  const inner = record.steps.filter((each) => each.parent === step.step);
  const [single] = step.results;
  const many = step.results.length > 1;
  const befores = inner.filter((each) => each.step.startsWith(`${step.step}/before#`));
  const roles = inner.filter(isRoleStep);
  const others = inner.filter((each) => !befores.includes(each) && !roles.includes(each));
  const faults = step.kind === 'chaos' ? record.faults.filter((fault) => fault.step === step.step) : [];
  const steps = [
    ...roles.map((role) => allureStep(role, context, roleTitle(role))),
    ...befores.map((hook) => allureStep(hook, context, `before: ${hook.title}`)),
    ...(many ? step.results.map((result) => nodeStep(step, result, context)) : []),
    ...faults.map((fault) => faultStep(fault, context)),
    ...others.map((hook) => allureStep(hook, context, `${hook.step.includes('/on_fail#') ? 'on_fail' : 'after'}: ${hook.title}`)),
  ].flatMap((each) => each ?? []);
  const excused = step.continueOnError && isBad(step.verdict) ? ' (continue_on_error)' : '';
  return {
    name: oneLine(`${name}${excused}`),
    status: ALLURE_STATUS[step.verdict],
    statusDetails: stepDetails(step),
    stage: 'finished',
    start: step.startedAt,
    stop: Math.max(step.startedAt, step.finishedAt),
    steps,
    attachments: single && !many ? attachmentsOf(step, single, context) : [],
    parameters: [...stepParameters(step), ...(single && !many ? resultParameters(single) : [])],
  };
}

/** `role primary: pg2`. */
function roleTitle(step: StepRecord): string {
  const nodes = step.outputs['nodes'];
  return Array.isArray(nodes) && !isBad(step.verdict) ? `${step.title}: ${nodes.length === 0 ? 'no node' : nodes.join(', ')}` : step.title;
}

function nodeStep(step: StepRecord, result: NodeResult, context: StepContext): AllureStep | undefined {
  if (!takeRoom(context)) return undefined;
  return {
    name: oneLine(result.node),
    status: ALLURE_STATUS[result.verdict],
    statusDetails: result.reason === undefined ? {} : { message: clean(result.reason) },
    stage: 'finished',
    // Clocks of nodes may be off; what is shown must lie inside its step.
    start: clamp(result.startedAt, step.startedAt, step.finishedAt),
    stop: clamp(result.finishedAt, step.startedAt, step.finishedAt),
    steps: [],
    attachments: attachmentsOf(step, result, context),
    parameters: resultParameters(result),
  };
}

function faultStep(fault: FaultRecord, context: StepContext): AllureStep | undefined {
  if (!takeRoom(context)) return undefined;
  const last = fault.states.at(-1);
  const start = fault.states[0]?.at ?? 0;
  const bad = last?.state === 'owed' ? `recovery owed; undo by hand on ${fault.node}: ${fault.undo}` : undefined;
  const wasVoid = fault.states.find((state) => state.state === 'void');
  const message = bad ?? (wasVoid ? `void: ${wasVoid.reason ?? 'the fault was not in effect'}` : undefined);
  const timeline = fault.states.map((state) =>
    parameter(`+${((state.at - start) / 1000).toFixed(3)} s`, state.reason ? `${state.state}: ${state.reason}` : state.state),
  );
  return {
    name: oneLine(`fault ${fault.name} on ${fault.node}: ${last?.state ?? 'planned'}`),
    status: message === undefined ? 'passed' : 'broken',
    statusDetails: message === undefined ? {} : { message: clean(message) },
    stage: 'finished',
    start,
    stop: last?.at ?? start,
    steps: [],
    attachments: [],
    parameters: [parameter('fault', fault.id), parameter('undo', fault.undo), ...timeline],
  };
}

/** What the first unmet condition wanted and got; Allure offers a diff of the two. */
export function stepDetails(step: StepRecord): AllureDetails {
  if (!isBad(step.verdict)) return step.reason === undefined ? {} : { message: clean(step.reason) };
  const check = stepChecks(step).find((each) => each.ok !== true);
  const place = step.location ? `at ${step.location.file}:${step.location.line}` : undefined;
  return {
    message: clean(`${step.verdict === 'void' ? 'void: ' : ''}${step.reason ?? step.verdict}`),
    ...(place === undefined ? {} : { trace: clean(`step ${step.step}\n${place}`) }),
    ...(check ? { actual: clean(check.actual), expected: clean(check.expected) } : {}),
  };
}

function stepParameters(step: StepRecord): AllureParameter[] {
  return [
    parameter('step', step.step),
    parameter('kind', step.kind),
    ...(step.tries > 1 ? [parameter('tries', String(step.tries))] : []),
    ...(step.cached ? [parameter('cached', 'true')] : []),
    ...Object.entries(step.outputs).map(([name, value]) =>
      parameter(`outputs.${name}`, typeof value === 'string' ? value : JSON.stringify(value)),
    ),
  ];
}

function resultParameters(result: NodeResult): AllureParameter[] {
  return [
    parameter('node', result.node),
    ...(result.exitCode === null ? [] : [parameter('exit code', String(result.exitCode))]),
    ...(result.signal === undefined ? [] : [parameter('signal', result.signal)]),
    ...(result.samples ? [parameter('samples', `${result.samples.taken} taken, ${result.samples.unknown} unknown`)] : []),
  ];
}

function attachmentsOf(step: StepRecord, result: NodeResult, context: StepContext): AllureAttachment[] {
  return (['stdout', 'stderr'] as const).flatMap((stream) => {
    const excerpt = result[stream];
    if (excerpt.bytes === 0 || context.files.length >= context.maxFiles) return [];
    const source = `${uuidOf(context.attemptUuid, step.step, result.node, stream)}-attachment.txt`;
    // Attachments are shown with colours, so escape sequences stay; what else is there stays as the command wrote it.
    const text = excerptText(excerpt);
    const whole = excerpt.bytes <= MAX_ATTACHMENT_BYTES ? excerpt.artifact : undefined;
    context.files.push(whole === undefined ? { source, kind: 'text', text } : { source, kind: 'blob', reference: whole, fallback: text });
    const cut = excerpt.truncated && whole === undefined ? `, whole in artifacts/${slug(step.step)}` : '';
    return [{ name: `${stream} of ${result.node}${cut}`, type: 'text/plain', source }];
  });
}

function takeRoom(context: StepContext): boolean {
  if (context.room > 0) {
    context.room -= 1;
    return true;
  }
  context.left += 1;
  return false;
}

export function parameter(name: string, value: string, excluded?: true): AllureParameter {
  return { name: clean(name), value: capStart(clean(value), MAX_PARAMETER_BYTES), ...(excluded ? { excluded } : {}) };
}

/** Texts of a report page: hostile output must not move the reader's terminal or hide characters. */
export function clean(text: string): string {
  return printable(stripAnsi(text));
}

export function oneLine(text: string): string {
  return capStart(clean(text).replaceAll(/\s+/gu, ' ').trim(), 500);
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), Math.max(low, high));
}
