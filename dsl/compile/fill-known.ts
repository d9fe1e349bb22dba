import type { Scope } from '../expression/cel.ts';
import { ExpressionError, namesIn } from '../expression/cel.ts';
import { hasMarks, parseTemplate, renderText } from '../expression/marks.ts';
import { renderShell, secretName } from '../expression/shell.ts';
import type { Value, ValueMap } from '../model/value.ts';

/**
 * Fills in the marks of a text that are known before the run; the others stay as they are written, secrets always.
 * `shell`: values are quoted as they will be.
 */
export function fillKnown(text: string, values: ValueMap, form: 'text' | 'shell'): string {
  if (!hasMarks(text)) return text;
  // Unknown marks are set aside as plain words, so that what is known is quoted exactly as in the run.
  const aside: string[] = [];
  const prepared = parseTemplate(text)
    .map((part) => {
      if (part.kind === 'text') return part.text;
      const written = text.slice(part.start, part.end);
      if (isKnown(part.expression, values)) return written;
      aside.push(written);
      return `\${{ raw("${wordFor(aside.length - 1)}") }}`;
    })
    .join('');
  const scope: Scope = { values };
  try {
    const rendered = form === 'shell' ? renderShell(prepared, scope) : renderText(prepared, scope);
    return aside.reduce((filled, written, index) => filled.replaceAll(wordFor(index), () => written), rendered);
  } catch (error) {
    // A value that cannot stand there (a NUL, say) breaks the step when it runs; a plan shows the text as it is written.
    if (error instanceof ExpressionError) return text;
    throw error;
  }
}

/** As fillKnown for every text inside a value. */
export function fillKnownValue(value: Value, values: ValueMap): Value {
  if (typeof value === 'string') return fillKnown(value, values, 'text');
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return (value as readonly Value[]).map((item) => fillKnownValue(item, values));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fillKnownValue(item, values)]));
}

function wordFor(index: number): string {
  return `ONETEARMARK${index}X`;
}

/** Its names are known, and evaluating it works: a mark that fails here is shown as written and fails in the run. */
function isKnown(expression: string, values: ValueMap): boolean {
  if (secretName(expression) !== undefined) return false;
  try {
    for (const name of namesIn(expression)) if (!Object.hasOwn(values, name)) return false;
    renderText(`\${{${expression}}}`, { values });
    return true;
  } catch (error) {
    if (error instanceof ExpressionError) return false;
    throw error;
  }
}
