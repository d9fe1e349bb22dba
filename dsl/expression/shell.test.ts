import { spawnSync } from 'node:child_process';
import type { SpawnSyncOptions } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExpressionError } from './expression-error.ts';
import { checkShell, renderShell, secretsIn } from './shell.ts';

const SHELLS: readonly (readonly [name: string, argv: readonly string[]])[] = [
  ['dash', ['dash']],
  ['bash', ['bash', '--norc']],
  ['bash --posix', ['bash', '--norc', '--posix']],
  ['busybox ash', ['busybox', 'ash']],
];

/** Each prints one or more NUL-terminated words: what `words` makes of the two values. */
const TEMPLATES: readonly { readonly text: string; readonly words: (a: string, b: string) => readonly string[] }[] = [
  { text: "printf '%s\\0' ${{ a }}", words: (a) => [a] },
  { text: 'printf \'%s\\0\' "${{ a }}"', words: (a) => [a] },
  { text: "printf '%s\\0' '${{ a }}'", words: (a) => [a] },
  { text: "printf '%s\\0' <${{ a }}>".replaceAll(/[<>]/gu, '_'), words: (a) => [`_${a}_`] },
  { text: "printf '%s\\0' \"<${{ a }}>\" '[${{ b }}]'", words: (a, b) => [`<${a}>`, `[${b}]`] },
  { text: "printf '%s\\0' ${{ a }}${{ b }}", words: (a, b) => [a + b] },
  { text: 'printf \'%s\\0\' "${{ a }}${{ b }}"', words: (a, b) => [a + b] },
  { text: "printf '%s\\0' '${{ a }}${{ b }}'", words: (a, b) => [a + b] },
  { text: "printf '%s\\0' \"${{ a }}\"'${{ b }}'${{ a }}", words: (a, b) => [a + b + a] },
  { text: 'X=${{ a }}; printf \'%s\\0\' "$X"', words: (a) => [a] },
  {
    text: 'V=v; printf \'%s\\0\' "$V${{ a }}" $V${{ b }} "$1${{ a }}" "\\$${{ b }}"',
    words: (a, b) => [`v${a}`, `v${b}`, a, `$${b}`],
  },
  { text: "printf '%s\\0' \"$(printf '%s.' x)\" $(printf '%s.' '') ${{ a }}", words: (a) => ['x.', '.', a] },
  { text: "Y=$(printf '%s.' ${{ a }}; printf '%s' \"${{ b }}\" '${{ a }}' .); printf '%s\\0' \"$Y\"", words: (a, b) => [`${a}.${b}${a}.`] },
  { text: "# it's a comment with ${{ a }} and \"\nprintf '%s\\0' ${{ b }} # and ${{ a }} `", words: (_a, b) => [b] },
  { text: "case ${{ a }} in ${{ a }}) printf 'same\\0';; *) printf 'other\\0';; esac", words: () => ['same'] },
  { text: "cat <<'E' >/dev/null\nit's $( \" `\nE\nprintf '%s\\0' ${{ a }}", words: (a) => [a] },
  { text: 'cat <<-E >/dev/null\n\ttext\n\tE\nprintf \'%s\\0\' "${{ a }}"', words: (a) => [a] },
  { text: 'f() { printf \'%s\\0\' "$1"; }; f ${{ a }}', words: (a) => [a] },
  { text: 'printf \'%s\\0\' "${X:-d}" ${{ a }}'.replace('X', 'UNSET_X'), words: (a) => ['d', a] },
  { text: "if true; then (printf '%s\\0' ${{ a }}); fi", words: (a) => [a] },
  { text: "printf '%s\\0' \\\n  ${{ a }} \\\n# not: a comment\n", words: (a) => [a] },
];

const HOSTILE = [
  "'",
  '"',
  '\\',
  '$',
  '`',
  '\n',
  '\t',
  ' ',
  ';',
  '&',
  '|',
  '(',
  ')',
  '{',
  '}',
  '[',
  ']',
  '<',
  '>',
  '*',
  '?',
  '~',
  '!',
  '#',
  '%',
  '=',
  '-',
  '^',
  '$(touch pwned)',
  '`touch pwned`',
  '${HOME}',
  '$HOME',
  '$X',
  "'; touch pwned; '",
  '"; touch pwned; "',
  '\\\n',
  "'\\''",
  '$((1+1))',
  '%s',
  '\\0',
  '\r',
  '\u0001',
  '\u007f',
  'EOF',
  '-n',
  '-e',
  '主',
  '🍵',
  'é',
  'a',
  '0',
  '_',
  '${{ b }}',
  '}}',
  '\u2028',
  '\u00a0',
];

const value = fc.oneof(
  fc.array(fc.constantFrom(...HOSTILE), { maxLength: 12 }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 20 }).filter((text) => !text.includes('\0') && !/\p{Surrogate}/u.test(text)),
  fc.constantFrom('', '\n', '\n\n', ' ', "'", '"', '\\', '$'),
);

function run(argv: readonly string[], script: string): string {
  const result = spawnSync(argv[0] as string, argv.slice(1), {
    input: script,
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8' },
    timeout: 20_000,
    maxBuffer: 64 << 20,
  });
  expect(result.stderr.toString()).toBe('');
  return result.stdout.toString();
}

function attempt(text: string, values: { readonly [name: string]: unknown }): string {
  try {
    return renderShell(text, { values: values as never });
  } catch (error) {
    if (error instanceof ExpressionError) return `!${error.code}: ${error.message}`;
    throw error;
  }
}

describe('renderShell', () => {
  for (const [name, argv] of SHELLS) {
    it(`hands every value through ${name} unchanged, wherever its mark stands`, () => {
      fc.assert(
        fc.property(fc.array(fc.tuple(value, value), { minLength: 30, maxLength: 30 }), (pairs) => {
          let script = '';
          const wanted: string[] = [];
          for (const [a, b] of pairs) {
            for (const template of TEMPLATES) {
              // busybox ash takes \r out of nothing, but a script read from a terminal would: a file or pipe does not.
              script += `${renderShell(template.text, { values: { a, b } })}\n`;
              wanted.push(...template.words(a, b));
            }
          }
          const printed = run(argv, script).split('\0').slice(0, -1);
          expect(printed).toEqual(wanted);
        }),
        { numRuns: 8 },
      );
    });
  }

  it('closes and reopens single quotes around those of the value', () => {
    fc.assert(
      fc.property(value, (a) => {
        expect(renderShell('x ${{ a }}', { values: { a } })).toBe(`x '${a.replaceAll("'", "'\\''")}'`);
      }),
      { numRuns: 2_000 },
    );
  });

  it('turns numbers, booleans, lists and maps into text and refuses null', () => {
    const values = { n: 5, d: 1.5, t: true, l: [1, 'a b'], m: { k: "v'" }, z: null };
    expect(attempt('x ${{ n }} ${{ d }} ${{ t }} ${{ l }} ${{ m }}', values)).toBe(`x '5' '1.5' 'true' '[1,"a b"]' '{"k":"v'\\''"}'`);
    expect(attempt('x ${{ z }}', values)).toContain('!value: the value is null');
  });

  it('refuses places where no quoting is safe', () => {
    const places = [
      'echo `x ${{ a }}`',
      'echo "`x ${{ a }}`"',
      'echo "$(x ${{ a }})"',
      'echo "$(x "${{ a }}")"',
      `echo "$(x '\${{ a }}')"`,
      'echo "$(x $(y ${{ a }}))"',
      "echo $'${{ a }}'",
      'echo $"${{ a }}"',
      'cat <<E\n${{ a }}\nE',
      "cat <<'E'\n${{ a }}\nE",
      'cat <<-E\n\t${{ a }}\n\tE',
      'cat <<E; cat <<F\n1\nE\n${{ a }}\nF',
      'cat <<${{ a }}\nx\n',
      'echo ${X:-${{ a }}}',
      'echo "${X:-${{ a }}}"',
      'echo ${X:-"${{ a }}"}',
      'echo $${{ a }}',
      'echo "$${{ a }}"',
      'echo \\${{ a }}',
      'echo "\\${{ a }}"',
      'echo "${{ a }}',
      "echo '${{ a }}",
      'echo $(x ${{ a }}',
      'echo "x" ${{ a }} "y',
      `echo "$(case x in x) echo \${{ a }};; esac)"`,
      `echo "$(case x in x) echo 1;; esac)" \${{ a }}`,
      `echo "\${X:-'}" \${{ a }}`,
      "echo $'a\\'b' ${{ a }}",
      'cat <<E "\nx" ${{ a }}\nE',
      'cat <<"a$b" ${{ a }}\n',
      '(( ${{ a }} > 1 ))',
      'echo $(( ${{ a }} + 1 ))',
      'echo $(( "${{ n }}" + 1 ))',
      'echo $[ ${{ a }} ]',
      '[[ ${{ a }} -eq 1 ]]',
      '[[ 1 -lt "${{ a }}" ]]',
      'echo $\\\n(x ${{ a }})',
      'echo >&${{ a }}',
      'echo >&\\\n${{ a }}',
      'echo >\\\n&${{ a }}',
      '(\\\n( ${{ a }} ))',
      'echo >& "x y${{ a }}"',
      'echo <&${{ a }}',
    ];
    const accepted = places.filter((text) => !attempt(text, { a: 'a', n: 1 }).startsWith('!shell_place'));
    expect(accepted).toEqual([]);
  });

  it('says why and where a place is refused, and what to do', () => {
    expect(attempt('echo `date ${{ a }}`', { a: 1 })).toBe(
      '!shell_place: a mark cannot stand in back-ticks; write $(…) instead (in `echo `date ${{ a }}``, column 12)',
    );
    expect(checkShell('one\necho "$(x ${{ a }})"')).toEqual({
      code: 'shell_place',
      message: 'a mark cannot stand in $(…) inside "…"',
      offset: 14,
      length: 8,
      hint: 'take the $(…) out of the quotes into a variable first',
    });
  });

  it('lets integers into arithmetic, and nothing else', () => {
    expect(attempt('echo $(( ${{ n }} - ${{ m }} )) $(((${{ n }})))', { n: 7, m: -3 })).toBe('echo $(( 7 - (-3) )) $(((7)))');
    expect(attempt('echo $(( ${{ n }} ))', { n: '010' })).toBe('echo $(( 10 ))');
    expect(attempt('(( ${{ n }} > 1 )) && [[ "${{ n }}" -eq 7 ]]', { n: 7 })).toBe('(( 7 > 1 )) && [[ "7" -eq 7 ]]');
    for (const n of ['a[$(touch pwned)]', '1.5', '', '1 ', '٣', '0x1f', '1;x'])
      expect(attempt('echo $(( ${{ n }} ))', { n })).toContain('only an integer');
    expect(run(['bash', '--norc'], attempt('echo $(( 1 - ${{ m }} )) $(( 1-${{ m }} ))', { m: -3 }))).toBe('4 4\n');
  });

  it('refuses NUL in a value, in raw text and in the script', () => {
    expect(attempt('x ${{ a }}', { a: 'a\0b' })).toContain('!value: a NUL');
    expect(attempt('x ${{ raw(a) }}', { a: 'a\0b' })).toContain('!value: a NUL');
    expect(attempt('x \0 ${{ a }}', { a: '' })).toContain('!value: a NUL');
    expect(checkShell('x \0 ${{ a }}')?.code).toBe('value');
  });

  it('inserts raw text as it is and quotes what follows for where it then stands', () => {
    expect(attempt('${{ raw(a) }} ${{ b }}', { a: 'ls -l | wc', b: 'x y' })).toBe("ls -l | wc 'x y'");
    expect(attempt('echo ${{ raw(a) }}${{ b }}"', { a: '"', b: 'x $y' })).toBe('echo "x \\$y"');
    expect(attempt('echo ${{ raw(a) }} ${{ b }}', { a: '`', b: 'x' })).toContain('!shell_place');
    expect(attempt('echo ${{ raw(a) }}${{ b }}', { a: '\\', b: 'x' })).toContain('!shell_place');
    expect(checkShell('echo ${{ raw(a) }} ${{ b }}')).toBeUndefined();
  });

  it('turns secrets into references to an environment variable, quoted for the place', () => {
    const text = 'a ${{ secrets.PW }} "b ${{ secrets.PW }}" \'c ${{secrets["T_2"]}}\' # ${{ secrets.PW }}';
    const rendered = attempt(text, {});
    expect(rendered).toBe('a "${ONETEAR_SECRET_PW}" "b ${ONETEAR_SECRET_PW}" \'c \'"${ONETEAR_SECRET_T_2}"\'\' # secrets.PW');
    expect(secretsIn(text)).toEqual(['PW', 'T_2']);
    expect(attempt('echo $(( ${{ secrets.PW }} ))', {})).toContain('!shell_place');
    expect(attempt('echo ${{ secrets.PW + "x" }}', {})).toContain('!secret');
    const script = `ONETEAR_SECRET_PW='p w'"'"'"'; ONETEAR_SECRET_T_2='$HOME'; set -- ${rendered.slice(1)}\nprintf '%s|' "$@"`;
    for (const [, argv] of SHELLS) expect(run(argv, script)).toBe(`p w'"|b p w'"|c $HOME|`);
  });

  it('keeps a comment a comment', () => {
    const script = attempt("echo 1 # ${{ a }} it's\necho 2#${{ b }}", { a: "x\ntouch pwned '$(x)", b: 'y\nz' });
    expect(script).toBe("echo 1 # x_touch pwned ___x_ it's\necho 2#'y\nz'");
  });

  it('leaves a script without marks alone, however odd', () => {
    for (const text of ['echo "', 'cat <<E\n`', "$'\\", '((((', '${', '']) {
      expect(renderShell(text, { values: {} })).toBe(text);
      expect(checkShell(text)).toBeUndefined();
    }
  });

  it('never throws anything but an ExpressionError, and never hangs, whatever the script', () => {
    const soup = fc.array(
      fc.constantFrom(...HOSTILE, '${{ a }}', '${{ a }}', '$(', '${', '$((', '<<E', '\nE\n', 'case ', 'esac', '[[ ', ']]', "$'"),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(soup, (parts) => {
        const text = parts.join('');
        const checked = checkShell(text);
        const rendered = attempt(text, { a: "v'", b: 1 });
        // What passes the check before the run is never refused for its place in the run.
        expect(checked === undefined && rendered.startsWith('!shell_place') && !/only an? /u.test(rendered)).toBe(false);
      }),
      { numRuns: 5_000 },
    );
    const deep = `echo ${'$('.repeat(100_000)}\${{ a }}`;
    expect(attempt(deep, { a: 1 })).toContain('!shell_place');
    expect(attempt(`echo ${'${X:-'.repeat(100_000)}\${{ a }}`, { a: 1 })).toContain('!shell_place');
  });

  it('scans a megabyte of script with ten thousand marks in well under a second', () => {
    const text = `echo "\${{ a }}" # ${'x'.repeat(80)}\n`.repeat(10_000);
    const started = performance.now();
    renderShell(text, { values: { a: "it's" } });
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});

/** Whether a command named `pwned`, which only values name, ran. It writes to a channel of its own, because scripts redirect the others. */
function ranValue(argv: readonly string[], script: string, cwd: string): boolean {
  const input = `PATH=/nonexistent\npwned() { echo PWNED >&3; }\nx() { :; }\n${script}`;
  const options: SpawnSyncOptions = { input, cwd, stdio: ['pipe', 'ignore', 'ignore', 'pipe'], timeout: 20_000 };
  const { output } = spawnSync(argv[0] as string, argv.slice(1), options);
  return (output[3] ?? '').toString() !== '';
}

describe('a soup of shell syntax', () => {
  // The strongest test of the scanner: whatever script it accepts, the value never becomes code.
  it('never lets a value run, in any shell', () => {
    const piece = fc.constantFrom(
      '"',
      "'",
      '`',
      '\\',
      '$',
      '$(',
      ')',
      '(',
      '${X:-',
      '}',
      ' ',
      '\n',
      '#',
      ' # ',
      ';',
      'echo ',
      ': ',
      'x',
      '$X',
      '<<E\n',
      '\nE\n',
      '$((',
      '))',
      "$'",
      '$"',
      'case x in x) ',
      ';; esac',
      '|',
      '&',
      '1',
      '[[ ',
      ' ]]',
      '((',
      '${#X}',
      '$#',
      '<',
      '>&',
      '<&',
      '&>',
      '>',
      '~',
      '\\\n',
    );
    const marks = fc.constantFrom('${{ a }}', '${{ b }}');
    const soup = fc
      .array(fc.oneof({ weight: 5, arbitrary: piece }, { weight: 2, arbitrary: marks }), { minLength: 1, maxLength: 14 })
      .map((parts) => parts.join(''));
    const folder = mkdtempSync(join(tmpdir(), 'soup-'));
    const attacks = {
      a: `'; pwned; "; pwned; \`pwned\` $(pwned) \n pwned \n) pwned; } pwned; a[$(pwned)] \\`,
      b: '\npwned\n`pwned`$(pwned)',
    };
    fc.assert(
      fc.property(fc.array(soup, { minLength: 150, maxLength: 150 }), (soups) => {
        const accepted = soups.map((text) => attempt(text, attacks)).filter((text) => !text.startsWith('!'));
        for (const [, argv] of SHELLS) {
          // Each in a subshell of its own: a syntax error of one must not hide the others.
          const script = accepted.map((text) => `( eval '${text.replaceAll("'", "'\\''")}' ) </dev/null >/dev/null 2>&1\n`).join('');
          const guilty = ranValue(argv, script, folder) ? accepted.filter((text) => ranValue(argv, text, folder)) : [];
          expect(guilty).toEqual([]);
        }
      }),
      { numRuns: Number(process.env['ONETEAR_SOUP_RUNS'] ?? 8) },
    );
    rmSync(folder, { recursive: true });
  });
});
