/** A line of a value that is shorter than this is not looked for by itself: it may be a brace or a blank line. */
const MIN_LINE = 8;
/** Shorter forms than this say next to nothing and stand everywhere by chance. */
export const MIN_FORM = 4;

/** How a value may come back in output. `wrapped` forms may be broken into lines by the program that made them. */
export interface EncodedForms {
  readonly plain: readonly string[];
  readonly wrapped: readonly string[];
}

/**
 * The forms of a secret that are looked for: as it is, each of its longer lines, quoted for shells, in JSON (also twice, and as other libraries
 * escape it), URLs, XML and HTML, base64 at each of the three positions in a longer text, and hex.
 */
export function encodedForms(given: string): EncodedForms {
  const bytes = Buffer.from(given, 'utf8');
  // Half of a surrogate pair has no UTF-8 and no URL form.
  const value = bytes.toString('utf8');
  const lines = value.split(/\r?\n/u);
  const once = [
    value,
    value.trim(),
    ...(lines.length > 1 ? lines.map((line) => line.trim()).filter((line) => line.length >= MIN_LINE) : []),
    ...shellForms(value),
    ...urlForms(value),
    ...xmlForms(value),
  ];
  const json = jsonForms(value);
  const plain = [...once, ...json, ...json.map((form) => inner(form))];
  const hex = bytes.toString('hex');
  return { plain: longEnough(plain), wrapped: longEnough([...base64Forms(bytes), hex, hex.toUpperCase()]) };
}

function longEnough(forms: readonly string[]): readonly string[] {
  return [...new Set(forms)].filter((form) => Buffer.byteLength(form) >= MIN_FORM);
}

function inner(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

function jsonForms(value: string): readonly string[] {
  const plain = inner(value);
  const slashes = plain.replaceAll('/', String.raw`\/`);
  const unicode = (text: string, pattern: RegExp): string =>
    text.replaceAll(pattern, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
  // Python writes ASCII only, Go escapes what HTML would read.
  const ascii = unicode(plain, /[^\0-\x7F]/g);
  const html = unicode(plain, /[<>&\u2028\u2029]/g);
  const all = [plain, slashes, ascii, html, unicode(html, /[^\0-\x7F]/g), unicode(slashes, /[^\0-\x7F]/g), unicode(ascii, /[<>&']/g)];
  return [...all, ...all.map((form) => form.replaceAll(/\\u[0-9a-f]{4}/g, (escape) => `\\u${escape.slice(2).toUpperCase()}`))];
}

function urlForms(value: string): readonly string[] {
  const component = encodeURIComponent(value);
  const strict = component.replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  const whole = encodeURI(value);
  const all = [component, strict, whole, strict.replaceAll('~', '%7E'), component.replaceAll('%20', '+'), strict.replaceAll('%20', '+')];
  // As paths are escaped.
  all.push(strict.replaceAll('%2F', '/'));
  return [...all, ...all.map((form) => form.replaceAll(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase()))];
}

function xmlForms(value: string): readonly string[] {
  const text = value.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  const closed = text.replaceAll('>', '&gt;');
  const quotes = ['"', '&quot;', '&#34;', '&#x22;'];
  const apostrophes = ["'", '&apos;', '&#39;', '&#x27;', '&#039;'];
  return [text, closed].flatMap((form) =>
    quotes.flatMap((quote) => apostrophes.map((apostrophe) => form.replaceAll('"', quote).replaceAll("'", apostrophe))),
  );
}

/** As `set -x`, `printf %q` and hand-written quotes show it. */
function shellForms(value: string): readonly string[] {
  return [
    value.replaceAll("'", String.raw`'\''`),
    value.replaceAll("'", `'"'"'`),
    value.replaceAll(/[\\"$`]/g, String.raw`\$&`),
    value.replaceAll(/[\\"$`!]/g, String.raw`\$&`),
    value.replaceAll(/[^\w@%+=:,./\u0080-\uFFFF-]/g, String.raw`\$&`),
    value.replaceAll(/[\\']/g, String.raw`\$&`),
  ];
}

/** What of the base64 of a longer text does not depend on what stands around the value, for its three possible positions. */
function base64Forms(bytes: Buffer): readonly string[] {
  const forms = [bytes.toString('base64')];
  for (const before of [0, 1, 2]) {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    forms.push(text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6)));
  }
  return [...forms, ...forms.map((form) => form.replaceAll('+', '-').replaceAll('/', '_'))];
}
