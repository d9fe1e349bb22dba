import { sh } from './shell-text.ts';

/**
 * The supervisor of one job: gate, start, result. A subshell of the stream's shell, because a fork without exec costs a tenth of one with:
 * it outlives that shell, lives in that shell's session, which is neither the worker's nor the command's, and answers to its own pid.
 *
 * `ot_job`: directory, job id, not-after and timeout (1/100 s of node uptime and of time), runner, nonce of the start, stdin file.
 *
 * If it dies: before `go` nothing ran and start may be repeated; between `go` and `res` nobody can know the exit code any more, so the observer
 * waits for the command's end and then says `lost`; the timer still ends the command at its timeout.
 * The end is reported before it is recorded: the report is the same truth, and whoever waits for it need not wait for the record.
 * The report stands between two bytes 1, because it may fall into the middle of a long answer of the stream's shell.
 *
 * It is sent signals only to end the command (USR1 timeout, USR2 cancel), never in the normal course: bash can lose the status of a child that dies
 * while a trapped signal interrupts its `wait`, and can return from a later `wait` for a signal that was dealt with before.
 */
export const SUPERVISOR = sh`
ot_job() {
  j=$1 id=$2 na=$3 to=$4 run=$5 n=$6 in=$7
  ot_j=$j
  # Caught, not ignored: what is ignored is inherited. They only end the wait.
  trap : TERM HUP USR1 USR2
  trap - EXIT
  read -r me ot_x </proc/self/stat
  ot_stat "$me"
  mes=$ot_st
  ot_up
  [ "$ot_u" -le "$na" ] || exit 0
  t0=$ot_u
  # Who we are, before the claim: if a full disk keeps the claim empty, the names of these files still say who may have made it.
  { printf '' >"$j/id.$OT_INC.$me.$mes.$t0"; } 2>/dev/null || exit 0
  # The gate: O_CREAT with O_EXCL, in all three shells. A loser ends here; dash by itself, because exec is a special builtin.
  set -C
  { exec 5>"$j/go" || exit 0; } 2>/dev/null
  set +C
  { printf '%s\n' "$OT_INC.$me.$mes.$t0" >&5; } 2>/dev/null
  exec 5>&-
  (
    umask "$OT_UMASK"
    set -- $OT_SETSID $OT_ENV $run "$j/s.$n"
    . "$j/e.$n"
    exec "$@"
  ) <"$in" >>"$j/out" 2>>"$j/err" &
  c=$! cs=
  ot_stat $c && cs=$ot_st
  { printf '%s\n' "$c.$cs.$to" >"$j/pid"; } 2>/dev/null
  k=e
  while :; do
    wait $c
    r=$?
    case $r in [0-9] | [0-9][0-9] | 1[01][0-9] | 12[0-8]) break ;; esac
    # Over 128 is a signal's end of the command, or of our wait: only the command itself can tell.
    ot_is $c "$cs" || { ot_status_of; break; }
    ot_up
    if [ $k = e ] && [ $((ot_u - t0)) -ge "$to" ]; then k=t; elif [ $k = e ] && [ -L "$j/cancel" ]; then k=c; else continue; fi
    ot_end $c "$id" || ot_left "$j/left"
  done
  if [ $k != e ] && ot_members $c "$id"; then ot_end $c "$id" || ot_left "$j/left"; fi
  ot_up
  trap '' PIPE
  printf '\001D %s %s.%s.%s.%s\001' "$id" "$k" "$r" "$t0" "$ot_u" 2>/dev/null
  ot_put "$OT_INC $t0 $k.$r.$ot_u"
}
# The command is over and its status is over 128, or our wait was cut short. Waiting again gives the status; the first answer may be a stale signal's.
ot_status_of() {
  trap '' HUP USR1 USR2
  if [ -n "$BASH_VERSION" ]; then
    # Should bash have lost the status, it would wait for ever. Then nobody knows it: end without a record, which reads as lost.
    trap 'exit 1' TERM
    ( trap - TERM; sleep 5; kill -TERM "$me" ) </dev/null >/dev/null 2>&1 &
    g=$!
    wait $c
    wait $c
    r=$?
    { kill -KILL $g; wait $g; } 2>/dev/null
    [ "$r" -ge 0 ] || exit 1
  else
    trap '' TERM
    wait $c
    r=$?
  fi
}
`;
