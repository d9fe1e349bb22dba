import { spawnSync } from 'node:child_process';
import type { SpawnSyncOptions } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExpressionError } from './expression-error.ts';
import { checkShell, renderShell } from './shell.ts';

const SHELLS: readonly (readonly string[])[] = [['dash'], ['bash', '--norc'], ['bash', '--norc', '--posix'], ['busybox', 'ash']];

function attempt(text: string, values: { readonly [name: string]: unknown }): string {
  try {
    return renderShell(text, { values: values as never });
  } catch (error) {
    if (error instanceof ExpressionError) return `!${error.code}: ${error.message}`;
    throw error;
  }
}

/** Whether a command named `pwned`, which only values name, ran in one of the scripts. */
function ranValue(argv: readonly string[], scripts: readonly string[], cwd: string): boolean {
  const input = [
    'PATH=/nonexistent',
    'pwned() { echo PWNED >&3; }',
    // Each in a subshell of its own: a syntax error of one must not hide the others.
    ...scripts.map((text) => `( eval '${text.replaceAll("'", "'\\''")}' ) </dev/null >/dev/null 2>&1`),
  ].join('\n');
  const options: SpawnSyncOptions = { input, cwd, stdio: ['pipe', 'ignore', 'ignore', 'pipe'], timeout: 20_000 };
  const { output } = spawnSync(argv[0] as string, argv.slice(1), options);
  return (output[3] ?? '').toString() !== '';
}

/** Places where bash evaluates a word as arithmetic, or as the name of a variable with its subscript. */
const PLACES = [
  'a[${{ v }}]=1',
  'a["${{ v }}"]=1',
  'a[1+${{ v }}]+=1',
  'x=1 a[ ${{ v }} ]=1',
  'a[a[${{ v }}]]=1',
  'a=([${{ v }}]=1)',
  'a=(1\n[${{ v }}]=1)',
  'let x=${{ v }}',
  'let "x = ${{ v }}"',
  "l'e't x=${{ v }}",
  '\\let x=${{ v }}',
  'true; builtin let ${{ v }}',
  'if let x=${{ v }}; then :; fi',
  'f() { let x=${{ v }}; }; f',
  'function f { let x=${{ v }}; }; f',
  'if [[ x ]] then let x=${{ v }}; fi',
  '(let x=${{ v }})',
  'X=$(let x=${{ v }})',
  'case x in x) let x=${{ v }};; esac',
  '[[ -v ${{ v }} ]]',
  '[[ "x ]] y" && -v ${{ v }} ]]',
  '[[ x == [[:alpha:]] && 1 -eq ${{ v }} ]]',
  'test -v ${{ v }}',
  '[ -v "${{ v }}" ]',
  '[ ! -v ${{ v }} ]',
  '[ ${{ o }} ${{ v }} ]',
  'test 2> x ${{ o }} ${{ v }}',
  'test 2> x -v ${{ v }}',
  'test "${{ o }}" "${{ v }}"',
  'printf -v ${{ v }} x',
  'printf -v${{ v }} x',
  'printf ${{ o }} ${{ v }} x',
  'printf "${{ o }}" ${{ v }} x',
  'declare -i x=${{ v }}',
  'declare -g -i "x=${{ v }}"',
  'typeset -i x=${{ v }}',
  'f() { local -i x=${{ v }}; }; f',
  'export -n ${{ v }}=1',
  'readonly -a x=${{ c }}',
  'declare -a x=${{ c }}',
  'declare -a x; declare x=${{ c }}',
  'declare -A x="${{ c }}"',
  'declare ${{ o }} x=${{ v }}',
  'declare "a[${{ v }}]=1"',
  'declare a[${{ v }}]=1',
  'declare ${{ v }}=1',
  'declare ${{ v }}',
  'declare -i x; x=${{ v }}',
  'declare -i x; for x in ${{ v }}; do :; done',
  'declare -i x; x+=${{ v }}',
  'declare -ai x; x=(${{ v }})',
  'declare -n r=${{ v }}; r=1',
  'export ${{ v }}=1',
  'read -r ${{ v }} <<< x',
  'echo x | read ${{ v }}',
  'while read -r "${{ v }}"; do :; done',
  'unset ${{ v }}',
  'unset "a[${{ v }}]"',
  'mapfile ${{ v }} < /dev/null',
  'readarray -t ${{ v }}',
  'mapfile -C ${{ v }} -c 1 a',
  'wait -n -p ${{ v }}',
  'getopts ab ${{ v }}',
  'echo "${x[${{ v }}]}"',
];

const ATTACK = { v: 'a[$(pwned)]', o: '-v', c: '([0]=$(pwned))', n: 7, w: 'name_1' };

describe('renderShell in words that a shell reads again', () => {
  it('takes no text there that could be evaluated', () => {
    expect(PLACES.filter((text) => !attempt(text, ATTACK).startsWith('!shell_place'))).toEqual([]);
  });

  it('takes integers there, and identifiers where a name is meant', () => {
    for (const text of ['a[${{ n }}]=1', 'let x=${{ n }}', 'declare -i x=${{ n }}', 'a=([${{ n }}]=1)', 'unset "a[${{ n }}]"'])
      expect(attempt(text, ATTACK)).not.toContain('!');
    for (const text of ['read -r ${{ w }}', 'unset ${{ w }}', '[ -v ${{ w }} ]', 'export ${{ w }}=1', 'printf -v ${{ w }} x'])
      expect(attempt(text, ATTACK)).not.toContain('!shell_place');
    for (const w of ['', 'a b', 'a[0]', 'é', 'a\n', '-v', '1.5'])
      expect(attempt('read -r ${{ w }}', { w })).toContain('!shell_place: only a name');
    expect(attempt('let x=${{ w }}', ATTACK)).toContain('!shell_place: only an integer');
    expect(attempt('read ${{ secrets.PW }}', {})).toContain('not a secret');
    // Not known before the run: refused when it is rendered.
    expect(checkShell('read -r ${{ w }}')).toBeUndefined();
  });

  it('leaves other words of the same scripts to any value, and none of them runs', () => {
    const harmless = [
      'a[1]=${{ v }}',
      'a=(${{ v }} "${{ c }}")',
      'export X=${{ v }} Y="${{ c }}"',
      'export "X=${{ v }}"',
      'f() { local x=${{ v }}; readonly y=${{ c }}; }; f',
      'declare -r x=${{ c }}',
      'declare -gx x=${{ v }}',
      'read -r x < ${{ v }}',
      'read -r x y <<< "${{ v }}"',
      'read x 2> ${{ v }} # ${{ v }}',
      'while read -r line; do echo "$line" ${{ v }}; done < ${{ v }}',
      'mapfile -t a < <(echo ${{ v }})',
      'unset x; echo ${{ v }}',
      'unset x && echo ${{ v }}',
      'X=$(echo ${{ v }}); let x=1',
      'echo let ${{ v }}; grep export ${{ v }} read',
      '[ ${{ v }} = x ] && test "${{ v }}" != "${{ c }}"',
      '[ -z ${{ v }} ] || [ -n "${{ v }}" -a -f ${{ v }} ]',
      '[ "$x" = ${{ v }} ]',
      'test -f ${{ v }} 2>/dev/null',
      '[ -d "${{ v }}" ] > ${{ v }} 2>&1',
      '[[ ${{ v }} == ${{ c }} && -n ${{ v }} ]]',
      "printf '%s\\n' ${{ v }} ${{ o }}",
      'printf "%s ${{ v }}" ${{ v }}',
      'printf -- ${{ v }} ${{ v }}',
      'printf ${{ v }} x',
      'printf -v x %s ${{ v }}',
      'let x=1; echo ${{ v }}',
      'for x in ${{ v }} ${{ c }}; do echo "$x"; done',
      'case ${{ v }} in let) echo ${{ v }};; esac',
      'X=${{ v }} Y="${{ c }}" env ${{ v }}',
      'declare -a x; x[0]=${{ c }}; x=${{ c }}; y=${{ v }}',
    ];
    const rendered = harmless.map((text) => attempt(text, ATTACK));
    expect(rendered.filter((text) => text.startsWith('!'))).toEqual([]);
    const folder = mkdtempSync(join(tmpdir(), 'words-'));
    for (const argv of SHELLS) expect(rendered.filter((text) => ranValue(argv, [text], folder))).toEqual([]);
    rmSync(folder, { recursive: true });
  });

  it('hands hostile values through everyday scripts, unchanged', () => {
    const values = { evil: `$(pwned) \`pwned\` "; pwned; ' a[$(pwned)] \\ * $HOME`, lines: 'a\nb\n', dash: '-v', empty: '', word: '主' };
    const script = [
      "printf '%s|' ${{ evil }}",
      'printf \'%s|\' "<${{ evil }}>"',
      "printf '%s|' '<${{ evil }}>' ${{ lines }}",
      'printf \'%s|\' ${{ dash }} ${{ empty }} "" ${{ word }}tail',
      'export V=${{ evil }}; [ "$V" = ${{ evil }} ] && printf same',
    ].join('\n');
    const { evil } = values;
    const wanted = [evil, `<${evil}>`, `<${evil}>`, 'a\nb\n', '-v', '', '', '主tail', 'same'].join('|');
    for (const argv of SHELLS) {
      const { stdout, stderr } = spawnSync(argv[0] as string, argv.slice(1), { input: attempt(script, values) });
      expect([argv, stdout.toString(), stderr.toString()]).toEqual([argv, wanted, '']);
    }
  });

  it('proves the attack: the same words run in bash when nothing checks them', () => {
    const folder = mkdtempSync(join(tmpdir(), 'words-'));
    for (const text of ["let x='a[$(pwned)]'", "read 'a[$(pwned)]' <<< x", "[ '-v' 'a[$(pwned)]' ]", "declare -i x='a[$(pwned)]'"])
      expect([text, ranValue(['bash', '--norc'], [`a=(1); ${text}`], folder)]).toEqual([text, true]);
    rmSync(folder, { recursive: true });
  });

  it('never lets a value run in a soup of such words, in any shell', () => {
    const piece = fc.constantFrom(
      ...'let|read|read -r|unset|declare|declare -i|declare -a|declare -n|typeset -i|local|export|readonly|readonly -a|printf'.split('|'),
      ...'printf -v|test|test -v|[|]|[ -v|[[|[[ -v|]]|-eq|=|mapfile|getopts a|wait -p|builtin|command|!|-v|-i|-p|--|%s|x|1|"'.split('|'),
      ...'a[|]=|]+=|a=(|)|([|x=|y+=|;|\n|&&|\\\n|(|{|}|$(|f() {|function f {|f|if|then|fi|do|done|for x in|case x in x)|;;'.split('|'),
      ...'esac|<<<|<|2>|<(|#|$x|"$x"|a=(1)|declare -i x|${a[|]}|((|))|>&|\''.split('|'),
      '|',
    );
    const mark = fc.constantFrom('${{ v }}', '${{ v }}', '"${{ v }}"', '${{ o }}', '${{ c }}', 'x=${{ v }}', 'x=${{ c }}', 'a[${{ v }}]=1');
    const soup = fc
      .array(fc.tuple(fc.oneof({ weight: 3, arbitrary: piece }, { weight: 2, arbitrary: mark }), fc.constantFrom('', ' ', ' ', ' ')), {
        minLength: 2,
        maxLength: 9,
      })
      .map((parts) => parts.flat().join(''));
    const folder = mkdtempSync(join(tmpdir(), 'words-'));
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            soup,
            fc.tuple(fc.constantFrom(...PLACES), soup).map((two) => two.join(' ')),
          ),
          { minLength: 150, maxLength: 150 },
        ),
        (soups) => {
          const accepted = soups.map((text) => attempt(text, ATTACK)).filter((text) => !text.startsWith('!'));
          for (const argv of SHELLS) {
            const guilty = ranValue(argv, accepted, folder) ? accepted.filter((text) => ranValue(argv, [text], folder)) : [];
            expect(guilty).toEqual([]);
          }
        },
      ),
      { numRuns: Number(process.env['ONETEAR_SOUP_RUNS'] ?? 6) },
    );
    rmSync(folder, { recursive: true });
  });
});
