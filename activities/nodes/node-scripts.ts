import { HELLO } from './hello-script.ts';
import { READ } from './read-script.ts';
import { sh } from './shell-text.ts';
import { SUPERVISOR } from './supervisor-script.ts';

/**
 * The POSIX sh half of the node protocol (docs/design/node-protocol.md). It runs under dash, bash and busybox ash, on Linux.
 * Only builtins are used where a command would otherwise cost a fork: `read` on /proc, `printf`, `[ -L ]`, parameter expansion.
 *
 * The scripts are written for shells that exit on an error in a special builtin: no redirection stands on `:`, `.`, `exec`, `eval`, `set`
 * unless its failure is meant to end that (sub)shell.
 */

/**
 * Functions that both the stream shell and the supervisor need.
 *
 * `ot_stat PID`: state, process group, session and start ticks of a process into `ot_s ot_g ot_ss ot_st`; false when it is gone.
 * A zombie counts as dead everywhere: PID 1 of a container may never reap.
 *
 * `ot_members SESSION COOKIE`: living processes of a session or with the cookie in their environment, into `ot_m`.
 * The cookie finds what left the session (`setsid daemon`); it is the only thing that does.
 *
 * `ot_end PID COOKIE`: TERM to group, session and cookie, up to 2 s, then KILL until none is left or five rounds are over; survivors are in `ot_m`.
 */
const COMMON = sh`
ot_up() { read -r ot_u ot_x </proc/uptime; ot_u=\${ot_u%.*}\${ot_u#*.}; }
ot_stat() {
  ot_x=
  { read -r ot_x </proc/$1/stat; } 2>/dev/null
  [ -n "$ot_x" ] || return 1
  ot_x=\${ot_x##*) }
  set -- $ot_x
  [ $# -ge 20 ] || return 1
  ot_s=$1 ot_pp=$2 ot_g=$3 ot_ss=$4 ot_st=\${20}
  case $ot_s in Z|X) return 1 ;; esac
}
ot_is() { ot_stat "$1" && [ "$ot_st" = "$2" ]; }
ot_cookie() {
  if [ -z "$ot_grep" ]; then
    if ONETEAR_JOB='probe;' grep -qF 'ONETEAR_JOB=probe;' /proc/self/environ 2>/dev/null; then ot_grep=y; else ot_grep=n; fi
  fi
  if [ "$ot_grep" = y ]; then
    grep -lF "ONETEAR_JOB=$1;" /proc/[0-9]*/environ 2>/dev/null
  else
    for ot_p in /proc/[0-9]*/environ; do
      [ -r "$ot_p" ] || continue
      case " $(tr '\000' ' ' <"$ot_p" 2>/dev/null)" in *" ONETEAR_JOB=$1;"*) echo "$ot_p" ;; esac
    done
  fi
}
ot_members() {
  ot_m=
  if [ "$1" -gt 0 ]; then
    for ot_p in /proc/[0-9]*; do
      ot_p=\${ot_p#/proc/}
      ot_stat "$ot_p" && [ "$ot_ss" = "$1" ] && ot_m="$ot_m $ot_p"
    done
  fi
  for ot_p in $(ot_cookie "$2"); do
    ot_p=\${ot_p#/proc/} ot_p=\${ot_p%/environ}
    case "$ot_m " in *" $ot_p "*) continue ;; esac
    ot_stat "$ot_p" && ot_m="$ot_m $ot_p"
  done
  [ -n "$ot_m" ]
}
ot_end() {
  [ "$1" -gt 0 ] && kill -TERM -- "-$1" 2>/dev/null
  ot_members "$1" "$2" && kill -TERM $ot_m 2>/dev/null
  ot_up
  ot_k=$((ot_u + 200))
  while [ "$ot_u" -lt "$ot_k" ]; do
    ot_members "$1" "$2" || return 0
    sleep 0.1
    ot_up
  done
  ot_i=0
  while [ $ot_i -lt 5 ]; do
    ot_members "$1" "$2" || return 0
    kill -KILL $ot_m 2>/dev/null
    sleep 0.1
    ot_i=$((ot_i + 1))
  done
  ot_members "$1" "$2" || return 0
  return 1
}
# The result of job folder ot_j into ot_q: "INCARNATION GO KIND.CODE.END"; false when there is none, or half of one.
ot_res() {
  ot_q=
  [ -e "$ot_j/res" ] && { read -r ot_q <"$ot_j/res"; } 2>/dev/null && return 0
  [ -L "$ot_j/rs" ] && ot_q=$(readlink "$ot_j/rs")
}
# Records a result, once, and for ever if need be. A file written by a builtin costs no fork; it counts only with its line end, and on a full disk,
# where it has none, a link takes its place: links are kept in the inode.
ot_put() {
  set -C
  { printf '%s\n' "$1" >"$ot_j/res"; } 2>/dev/null
  set +C
  until ot_res; do
    ln -s "$1" "$ot_j/rs" 2>/dev/null && break
    [ -d "$ot_j" ] || break
    sleep 1
  done
}
# Cuts the output of job folder ot_j back to 65 MiB when it has grown beyond 96, while the command appends to it: what is over 64 MiB nobody reads.
# A file that was cut stays longer than 64 MiB, so it shows by itself that there was more; how much more stands in cut.out and cut.err.
ot_trim() {
  for ot_tf in out err; do
    [ -s "$ot_j/$ot_tf" ] || continue
    ot_tz=$(wc -c <"$ot_j/$ot_tf" 2>/dev/null)
    [ $((ot_tz)) -gt 100663296 ] || continue
    # One at a time, or a cut would be counted twice; who died over it is not waited for.
    read -r ot_tp ot_x </proc/self/stat
    ot_stat "$ot_tp"
    if ! ln -s "$ot_tp.$ot_st" "$ot_j/cutting" 2>/dev/null; then
      ot_tp=$(readlink "$ot_j/cutting")
      [ -z "$ot_tp" ] || ot_is "\${ot_tp%%.*}" "\${ot_tp#*.}" || rm -f "$ot_j/cutting"
      continue
    fi
    ot_tz=$(wc -c <"$ot_j/$ot_tf" 2>/dev/null)
    [ $((ot_tz)) -le 68157440 ] ||
      { dd if=/dev/null of="$ot_j/$ot_tf" bs=1048576 seek=65 count=0 && printf '%s\n' $((ot_tz - 68157440)) >>"$ot_j/cut.$ot_tf"; } 2>/dev/null
    rm -f "$ot_j/cutting"
  done
}
ot_left() {
  ot_t=
  for ot_p in $ot_m; do
    ot_x=
    { read -r ot_x </proc/$ot_p/stat; } 2>/dev/null
    ot_x=\${ot_x%%) *}
    ot_t="$ot_t$ot_p \${ot_x#*(}
"
  done
  printf '%s' "$ot_t" >"$1"
}
`;

/**
 * The timer of one job that takes longer than an instant: a process started by the stream's shell, at once for a timeout up to 3 s, else when the
 * job is looked at while it runs (an engine that waits looks every second), and for all when the shell's input ends. It needs only the records.
 *
 * `ot_timer JOB TIMEOUT` wakes the supervisor when the time is over, every second until it has acted, and ends the command by itself when the
 * supervisor is dead. `ot_arm JOB TIMEOUT` starts it, once for each stream; `ot_leave` starts those that are missing.
 */
const TIMER = sh`
ot_timer() {
  ot_j=$OT_B/$1
  trap - TERM HUP EXIT
  ot_w=1
  while :; do
    ot_res && exit 0
    [ -d "$ot_j" ] || exit 0
    ot_go=
    { read -r ot_go <"$ot_j/go"; } 2>/dev/null || { [ -e "$ot_j/go" ] && ot_claim; }
    [ "$ot_go" = closed ] && exit 0
    ot_trim
    ot_up
    if [ -n "$ot_go" ]; then ot_d=$((\${ot_go##*.} + $2 - ot_u)); else ot_d=$2; fi
    if [ $ot_d -gt 0 ]; then
      # In full seconds, rounded up, and not long at a time: one whose job is over should go.
      ot_d=$(((ot_d + 99) / 100))
      [ $ot_d -le $ot_w ] || ot_d=$ot_w
      [ $ot_w -ge 5 ] || ot_w=$((ot_w + 1))
      sleep $ot_d
      continue
    fi
    ot_t=\${ot_go#*.} ot_rs=\${ot_go#*.*.}
    if ot_is "\${ot_t%%.*}" "\${ot_rs%%.*}"; then
      kill -USR1 "\${ot_t%%.*}" 2>/dev/null
      sleep 1
      continue
    fi
    ot_res && exit 0
    ot_main
    ot_members $ot_c "$1" || exit 0
    ot_put "\${ot_go%%.*} \${ot_go##*.} t.-.$ot_u"
    ot_end $ot_c "$1" || ot_left "$ot_j/left"
    exit 0
  done
}
# The command of job folder ot_j into ot_c, 0 when it is over, and its timeout into ot_to; false when the records do not name it.
ot_main() {
  ot_y= ot_c=0
  { read -r ot_y <"$ot_j/pid"; } 2>/dev/null
  [ -n "$ot_y" ] || return 1
  ot_to=\${ot_y##*.} ot_t=\${ot_y#*.}
  ot_is "\${ot_y%%.*}" "\${ot_t%%.*}" && ot_c=\${ot_y%%.*}
  return 0
}
ot_arm() {
  case " $ot_armed " in *" $1 "*) return 0 ;; esac
  # Enough to know the recent ones: a second timer of one job does no harm.
  [ \${#ot_armed} -lt 20000 ] || ot_armed=
  ot_armed="$1 $ot_armed"
  ( ot_timer "$1" "$2" ) </dev/null >/dev/null 2>&1 &
  ot_kids="$ot_kids $!"
}
ot_leave() {
  for ot_p in $ot_kids; do
    case $ot_p in
      *:*:*)
        ot_l=\${ot_p#*:}
        ot_stat "\${ot_p%%:*}" && ot_arm "\${ot_l%:*}" "\${ot_l#*:}"
        ;;
    esac
  done
}
`;

/**
 * What a stream shell is told first. Every request is then one command `v <nonce> <verb> 'args' … <nonce>`, which does nothing unless its last word
 * is its first: a request that is cut anywhere is either an unterminated quote (a syntax error) or lacks the second nonce.
 * Every answer is one line `A <nonce> <status> … <nonce>`.
 *
 * Expects `OT_SH` (words that start a shell) to be set.
 */
export const STREAM = sh`${COMMON}${SUPERVISOR}${TIMER}
ot_grep= ot_kids= ot_armed=
ot_r() { printf 'A %s %s %s\n' "$ot_n" "$*" "$ot_n"; }
v() {
  ot_l=
  for ot_l do :; done
  [ $# -ge 3 ] && [ "$1" = "$ot_l" ] || return 0
  ot_n=$1 ot_v=$2
  shift 2
  case $ot_v in
    hello) ot_hello "$@" ;;
    start) ot_start "$@" ;;
    status) ot_status "$@" ;;
    cancel) ot_cancel "$@" ;;
    judged) ot_judged "$@" ;;
    lost) ot_lost "$@" ;;
    read) ot_read "$@" ;;
    forget) ot_forget "$@" ;;
    *) ot_r unknown-verb ;;
  esac
  return 0
}
${HELLO}# Our children: "PID:JOB:TIMEOUT" of a supervisor, "PID" of others. A finished one is a zombie until we wait for it;
# wait only for what is one, or the stream would block.
ot_reap() {
  ot_k=
  for ot_p in $ot_kids; do
    if ot_stat "\${ot_p%%:*}"; then ot_k="$ot_k $ot_p"; else wait "\${ot_p%%:*}"; fi
  done
  ot_kids=$ot_k
}
# The folder of job ot_j; often it is there already.
ot_mk() {
  [ -d "$ot_j" ] || mkdir "$ot_j" 2>/dev/null || { mkdir "\${ot_j%/*}" 2>/dev/null; mkdir "$ot_j" 2>/dev/null; }
  [ -d "$ot_j" ]
}
# start JOB INCARNATION NOT-AFTER TIMEOUT RUNNER SCRIPT PRELUDE STDIN
ot_start() {
  ot_reap
  ot_j=$OT_B/$1
  [ "$2" = "$OT_INC" ] || { ot_r fenced incarnation; return; }
  ot_up
  [ "$ot_u" -le "$3" ] || { ot_r fenced late; return; }
  ot_run=$OT_SH
  if [ "$5" = bash ]; then
    ot_run=$OT_BASH
    [ -n "$ot_run" ] || { ot_r no-bash; return; }
  fi
  ot_mk || { ot_r no-directory; return; }
  [ -e "$ot_j/go" ] && { ot_r exists; return; }
  # Output files exist before the gate: after it nothing may fail that could be taken for the command's own exit code.
  printf %s "$6" >"$ot_j/s.$ot_n" && printf %s "$7" >"$ot_j/e.$ot_n" && printf '' >>"$ot_j/out" && printf '' >>"$ot_j/err" || { ot_r no-space; return; }
  ot_in=/dev/null
  if [ -n "$8" ]; then
    ot_in=$ot_j/i.$ot_n
    printf %s "$8" >"$ot_in" || { ot_r no-space; return; }
  fi
  ( ot_job "$ot_j" "$1" "$3" "$4" "$ot_run" "$ot_n" "$ot_in" ) </dev/null 2>>"$ot_j/log" &
  ot_kids="$ot_kids $!:$1:$4"
  [ "$4" -gt 300 ] || ot_arm "$1" "$4"
  ot_r started "$ot_u"
}
# Whose an empty claim is: of those who were about to make it the one that lives, else any; nobody's = it was closed.
ot_claim() {
  ot_go=closed
  for ot_p in "$ot_j"/id.*; do
    [ -e "$ot_p" ] || continue
    ot_go=\${ot_p##*/id.}
    ot_t=\${ot_go#*.}
    ot_rs=\${ot_t#*.}
    ot_is "\${ot_t%%.*}" "\${ot_rs%%.*}" && return 0
  done
}
# Closes the gate of job ot_j, if it is open.
ot_close() {
  ( set -C; exec 5>"$ot_j/go" && printf 'closed\n' >&5 ) 2>/dev/null
  [ -e "$ot_j/go" ]
}
# One job's state from its records; the order of the looks matters, see the state table of the protocol page.
ot_look() {
  ot_j=$OT_B/$1
  ot_f=
  [ -L "$ot_j/judged" ] && ot_f=j
  [ -e "$ot_j/nocwd" ] && ot_f=w$ot_f
  [ -L "$ot_j/cancel" ] && ot_f=c$ot_f
  [ -s "$ot_j/left" ] && ot_f=l$ot_f
  ot_f=-$ot_f
  if [ ! -d "$ot_j" ]; then ot_a=absent; return; fi
  if [ ! -e "$ot_j/go" ]; then ot_a=prepared; return; fi
  if ot_res; then ot_a="done $ot_q"; return; fi
  ot_go=
  { read -r ot_go <"$ot_j/go"; } 2>/dev/null || ot_claim
  [ "$ot_go" = closed ] && { ot_a=closed; return; }
  ot_i=\${ot_go%%.*} ot_t=\${ot_go#*.}
  ot_rp=\${ot_t%%.*} ot_t=\${ot_t#*.}
  ot_rs=\${ot_t%%.*} ot_t0=\${ot_t#*.}
  if [ -L "$ot_j/lost" ]; then ot_a="lost $ot_i $ot_t0 $(readlink "$ot_j/lost")"; return; fi
  if [ "$ot_i" != "$OT_INC" ]; then ot_a="dead $ot_i $ot_t0 reboot"; return; fi
  ot_up
  if ot_is "$ot_rp" "$ot_rs"; then
    ot_a="running $ot_i $ot_t0 $ot_u"
    # It has been running for a moment: time for its timer.
    ot_main && ot_arm "$1" "$ot_to"
    ot_trim
    return
  fi
  if ot_res; then ot_a="done $ot_q"; return; fi
  if ot_main; then
    if [ $ot_c -gt 0 ]; then
      ot_a="orphan $ot_i $ot_t0 $ot_u"
      ot_arm "$1" "$ot_to"
      ot_trim
      return
    fi
  elif ot_members 0 "$1"; then
    ot_a="orphan $ot_i $ot_t0 $ot_u"
    return
  fi
  if ot_res; then ot_a="done $ot_q"; return; fi
  ot_a="dead $ot_i $ot_t0 supervisor"
}
# status JOB…: one answer for all
ot_status() {
  ot_reap
  ot_o=
  while [ $# -gt 1 ]; do
    ot_look "$1"
    ot_o="$ot_o$ot_f $ot_a|"
    shift
  done
  ot_r ok "$ot_o"
}
# cancel JOB WHO: closes the gate if nothing ran yet, else asks the supervisor; with a dead supervisor it ends the command itself, in the background
ot_cancel() {
  ot_j=$OT_B/$1
  ot_mk
  ot_close
  ot_look "$1"
  case $ot_a in
    running*)
      [ -L "$ot_j/cancel" ] || ln -s "$2" "$ot_j/cancel" 2>/dev/null
      ot_is "$ot_rp" "$ot_rs" && kill -USR2 "$ot_rp" 2>/dev/null
      ;;
    orphan*)
      if [ ! -L "$ot_j/cancel" ]; then
        ln -s "$2" "$ot_j/cancel" 2>/dev/null
        ot_main
        ( trap - EXIT; ot_end "$ot_c" "$1" || ot_left "$ot_j/left" ) </dev/null >/dev/null 2>&1 &
        ot_kids="$ot_kids $!"
      fi
      ;;
  esac
  ot_r ok "$ot_f $ot_a"
}
# judged JOB REASON: the try is settled as not passed; the next attempt goes on to the next try
ot_judged() {
  ot_j=$OT_B/$1
  printf %s "$2" >"$ot_j/why" 2>/dev/null
  ln -s settled "$ot_j/judged" 2>/dev/null
  if [ -L "$ot_j/judged" ]; then ot_r ok; else ot_r no-record; fi
}
# lost JOB WHY: closes the gate or the job for good, unless it is done
ot_lost() {
  ot_j=$OT_B/$1
  ot_mk
  if ot_close && ! ot_res; then ln -s "$2" "$ot_j/lost" 2>/dev/null; fi
  ot_look "$1"
  ot_r ok "$ot_f $ot_a"
}
${READ}# forget RUN: only folders made by us, of a run, never the root
ot_forget() {
  case $1 in ''|*/*|.*) ot_r bad-run; return ;; esac
  rm -rf "\${OT_B:?}/$1"
  ot_r ok
}
# The engine is gone: what it left running needs its timers.
trap ot_leave EXIT
trap 'exit 1' TERM HUP
OT_UMASK=$(umask)
umask 077
`;
