/** Tools that the node protocol needs. */
export const NEEDED_TOOLS = ['sh', 'setsid', 'sha256sum', 'base64', 'od', 'ps', 'readlink', 'df'] as const;

/** Tools that faults and fault tests use. */
export const FAULT_TOOLS = [
  'bash',
  'pkill',
  'systemctl',
  'nft',
  'iptables',
  'tc',
  'ip',
  'fallocate',
  'dd',
  'truncate',
  'date',
  'reboot',
  'timeout',
  'stress-ng',
  'strace',
  'python3',
] as const;

const TOOLS = [...new Set<string>([...NEEDED_TOOLS, ...FAULT_TOOLS])];

/** Only looks: POSIX sh, changes nothing, asks no password. Prints `key=value` lines. */
export const CHECK_SCRIPT = `say() { printf '%s=%s\\n' "$1" "$2"; }
say system "$(uname -s 2>/dev/null) $(uname -r 2>/dev/null) $(uname -m 2>/dev/null)"
say user "$(id -un 2>/dev/null || id -u)"
say uid "$(id -u)"
say shell "$(readlink /proc/$$/exe 2>/dev/null || echo sh)"
if [ "$(id -u)" = 0 ]; then root=yes
elif command -v sudo >/dev/null 2>&1 && sudo -n true >/dev/null 2>&1; then root=sudo
else root=no; fi
say root "$root"
as_root=
[ "$root" = sudo ] && as_root='sudo -n'
[ "$root" = no ] || say caps "$($as_root sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status 2>/dev/null)"
for tool in ${TOOLS.join(' ')}; do
  say "tool.$tool" "$(command -v "$tool" 2>/dev/null)"
done
for folder in /var/tmp "$HOME"; do
  if [ -d "$folder" ] && [ -w "$folder" ]; then say jobs "$folder"; say free_kb "$(df -Pk "$folder" 2>/dev/null | tail -n 1 | { read -r _ _ _ free _; echo "$free"; })"; break; fi
done
release=$(uname -r 2>/dev/null)
netem=no
for module in "/lib/modules/$release/kernel/net/sched/"sch_netem.ko*; do [ -e "$module" ] && netem=yes; done
grep -qs '^sch_netem' /proc/modules && netem=yes
grep -qs sch_netem "/lib/modules/$release/modules.builtin" && netem=yes
[ "$netem" = no ] && [ ! -d "/lib/modules/$release" ] && netem=unknown
say netem "$netem"
exit 0
`;
