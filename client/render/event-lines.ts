import type { RunEvent } from '../../dsl/model/events.ts';
import type { Verdict } from '../../dsl/model/verdict.ts';
import type { Paint, Palette } from './colour.ts';
import { durationText } from './since-text.ts';
import { oneLine } from './text-width.ts';

type Finished = Extract<RunEvent, { type: 'testcase_finished' }>;
type StepFinished = Extract<RunEvent, { type: 'step_finished' }>;
type FaultEvent = Extract<RunEvent, { type: 'fault' }>;

/** Words, not only signs or colours: a log is searched, and not everybody sees red. */
const SIGN: { readonly [V in Verdict]: string } = { passed: '✓', failed: '✗', broken: '!', void: '∅', skipped: '-' };

/** The colour of a verdict. */
export function verdictPaint(verdict: Verdict, paint: Palette): Paint {
  return { passed: paint.green, failed: paint.red, broken: paint.yellow, void: paint.magenta, skipped: paint.dim }[verdict];
}

/** `✓ passed  name (flaky)  1.2 s`, with the reason on a line of its own when there is one. */
export function testcaseLines(event: Finished, paint: Palette): string {
  const colour = verdictPaint(event.verdict, paint);
  const flaky = event.flaky ? paint.yellow(' flaky') : '';
  const attempt = event.attempt > 1 ? paint.dim(` attempt ${event.attempt}`) : '';
  const owed = event.recovery === 'owed' ? paint.red(' recovery owed') : '';
  const head = `${colour(`${SIGN[event.verdict]} ${event.verdict.padEnd(7)}`)} ${oneLine(event.testcase)}${flaky}${attempt}${owed}`;
  const reason = event.reason === null ? '' : `\n    ${event.step === null ? '' : `${oneLine(event.step)}: `}${oneLine(event.reason)}`;
  return `${head}  ${paint.dim(durationText(event.duration_ms))}${reason}\n`;
}

/** A fault that changed state, where a person watching wants to know: in effect, undone, owed. */
export function faultLine(event: FaultEvent, paint: Palette): string | undefined {
  const what = `${oneLine(event.name)} on ${oneLine(event.node)} (${oneLine(event.testcase)})`;
  const reason = event.reason === null ? '' : `: ${oneLine(event.reason)}`;
  switch (event.state) {
    case 'verified':
      return `${paint.magenta('⚡ fault in effect')} ${what}\n`;
    case 'recovered':
      return `${paint.dim('⚡ fault undone')} ${what}\n`;
    case 'owed':
      return `${paint.red('⚡ recovery owed')} ${what}${reason}\n`;
    case 'void':
      return `${paint.magenta('⚡ fault void')} ${what}${reason}\n`;
    case 'planned':
    case 'injected':
    case 'recovering':
      return undefined;
  }
}

/** A suite hook that went wrong decides over every testcase, so it gets a line of its own. */
export function suiteStepLine(event: StepFinished, paint: Palette): string | undefined {
  if (event.testcase !== '' || event.verdict === 'passed' || event.verdict === 'skipped') return undefined;
  const reason = event.reason === null ? '' : `: ${oneLine(event.reason)}`;
  return `${verdictPaint(event.verdict, paint)(`${SIGN[event.verdict]} suite hook ${event.verdict}`)} ${oneLine(event.title)}${reason}\n`;
}
