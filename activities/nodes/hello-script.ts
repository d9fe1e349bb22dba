import { sh } from './shell-text.ts';

/** Verb `hello ROOT` of the node protocol: the folder of jobs, who the machine is, what it has. Part of the stream's shell, see node-scripts.ts. */
export const HELLO = sh`ot_dir() {
  [ -d "$1" ] || mkdir -m 700 "$1" 2>/dev/null || [ -d "$1" ] || return 1
  [ ! -L "$1" ] && [ -O "$1" ] || return 1
  case $(LC_ALL=C ls -ld "$1") in drwx------*) return 0 ;; esac
  return 1
}
ot_hello() {
  OT_B= ot_d=$1/onetear-$(id -u) ot_h=$HOME/.onetear-jobs
  # Jobs that were once kept at home are found there, although the first choice has become possible since.
  [ "$1" = /var/tmp ] && [ ! -d "$ot_d" ] && [ -d "$ot_h" ] && ot_dir "$ot_h" && OT_B=$ot_h
  if [ -z "$OT_B" ]; then
    if ot_dir "$ot_d"; then OT_B=$ot_d; elif ot_dir "$ot_h"; then OT_B=$ot_h; fi
  fi
  if [ -z "$OT_B" ]; then
    # Why: the words of mkdir itself, or that what is there is not ours.
    ot_x=
    for ot_p in "$ot_d" "$ot_h"; do
      if [ -e "$ot_p" ] || [ -L "$ot_p" ]; then ot_x="$ot_x$ot_p: is there, but is not a folder of ours with mode 0700; "; else ot_x="$ot_x$(LC_ALL=C mkdir -m 700 "$ot_p" 2>&1 | tr '\n\001' '  '); "; fi
    done
    ot_r no-directory "$ot_x"
    return
  fi
  read -r ot_b </proc/sys/kernel/random/boot_id
  ot_1=\${ot_b%%-*} ot_b=\${ot_b#*-}
  ot_2=\${ot_b%%-*} ot_b=\${ot_b#*-}
  ot_3=\${ot_b%%-*} ot_st=x
  ot_stat 1
  OT_INC=$ot_1$ot_2$ot_3-$ot_st
  OT_SETSID=$(command -v setsid)
  OT_BASH=$(command -v bash)
  OT_ENV=$(command -v env)
  if [ -n "$OT_ENV" ] && "$OT_ENV" --default-signal=INT,QUIT true 2>/dev/null; then
    OT_ENV="$OT_ENV --default-signal=INT,QUIT"
  else
    OT_ENV=
  fi
  ot_up
  ot_r ok "$OT_INC" "$ot_u" "$(date +%s.%N)" "$OT_B"
}
`;
