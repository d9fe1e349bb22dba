import { sh } from './shell-text.ts';

/** Verb `read` of the node protocol. Part of the stream's shell, see node-scripts.ts. */
export const READ = sh`# read JOB FILE OFFSET MAX: size before the range was read, then its bytes as text, so that any byte and any shell will do.
# They go straight to the stream, never into a variable: a shell that copies megabytes byte by byte is the slowest part of all.
ot_read() {
  ot_j=$OT_B/$1
  case $2 in out|err|cut.out|cut.err|left|why|log) ;; *) ot_r bad-file; return ;; esac
  [ -s "$ot_j/$2" ] || { ot_r ok 0; return; }
  ot_z=$(wc -c <"$ot_j/$2")
  if [ -z "$ot_enc" ]; then
    if [ "$(printf a | base64 -w0 2>/dev/null)" = YQ== ]; then ot_enc=base64; else ot_enc=hex; fi
    if command -v dd >/dev/null 2>&1; then ot_dd=y; fi
  fi
  printf 'A %s ok %s %s ' "$ot_n" $((ot_z)) $ot_enc
  if [ -n "$ot_dd" ] && [ $(($3 % $4)) = 0 ]; then
    dd if="$ot_j/$2" bs="$4" skip=$(($3 / $4)) count=1 2>/dev/null | ot_text
  else
    tail -c +$(($3 + 1)) "$ot_j/$2" | head -c "$4" | ot_text
  fi
  printf ' %s\n' "$ot_n"
}
ot_text() { if [ $ot_enc = base64 ]; then base64 -w0; else od -An -v -tx1 | tr -d ' \n'; fi; }
`;
