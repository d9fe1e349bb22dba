import type { Command } from 'commander';
import { EXIT } from '../../report/exit-code.ts';
import type { CliIo } from '../cli/io.ts';

interface VerbWords {
  readonly name: string;
  readonly description: string;
  readonly flags: readonly { readonly long: string; readonly description: string }[];
}

/** `onetear completion SHELL`: a static script made from the same definitions as `--help`. */
export function completion(shell: 'bash' | 'zsh' | 'fish', program: Command, io: CliIo): number {
  const verbs = program.createHelp().visibleCommands(program).map(wordsOf);
  io.out({ bash, zsh, fish }[shell](verbs));
  return EXIT.passed;
}

function wordsOf(command: Command): VerbWords {
  const flags = command
    .createHelp()
    .visibleOptions(command)
    .map((option) => ({ long: option.long ?? option.short ?? '', description: option.description }));
  return { name: command.name(), description: command.description(), flags };
}

function bash(verbs: readonly VerbWords[]): string {
  const cases = verbs.map(({ name, flags }) => `    ${name}) words="${flags.map(({ long }) => long).join(' ')}" ;;`);
  return `# bash completion for onetear
_onetear() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${verbs.map(({ name }) => name).join(' ')}" -- "$current"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
    *) COMPREPLY=($(compgen -f -- "$current")) ;;
  esac
}
complete -o filenames -F _onetear onetear
`;
}

function zsh(verbs: readonly VerbWords[]): string {
  const list = verbs.map(({ name, description }) => `    '${name}:${singleQuoted(description).replaceAll(':', '\\:')}'`);
  const cases = verbs.map(
    ({ name, flags }) =>
      `    ${name}) _arguments '*:file:_files' ${flags.map(({ long, description }) => `'${long}[${singleQuoted(description).replace(/[[\]]/g, '')}]'`).join(' ')} ;;`,
  );
  return `#compdef onetear
_onetear() {
  local -a verbs
  verbs=(
${list.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe verb verbs
    return
  fi
  local verb="\${words[2]}"
  shift words
  (( CURRENT-- ))
  case "$verb" in
${cases.join('\n')}
  esac
}
_onetear "$@"
`;
}

function fish(verbs: readonly VerbWords[]): string {
  const lines = ['# fish completion for onetear'];
  for (const { name, description, flags } of verbs) {
    lines.push(`complete -c onetear -n __fish_use_subcommand -f -a ${name} -d '${singleQuoted(description)}'`);
    for (const flag of flags) {
      const word = flag.long.startsWith('--') ? `-l ${flag.long.slice(2)}` : `-s ${flag.long.slice(1)}`;
      lines.push(`complete -c onetear -n '__fish_seen_subcommand_from ${name}' ${word} -d '${singleQuoted(flag.description)}'`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** Text that stands inside '…' in any of the three shells: typographic quotes instead of escapes. */
function singleQuoted(text: string): string {
  return text.replaceAll("'", '’');
}
