/**
 * Prints the lines of a log that are not older than `since` (seconds since 1970), for any awk (mawk, gawk, busybox). A line without a time belongs to
 * the line before it. Times are looked for in the first 64 characters: `2026-01-31T12:00:00.123+02:00` (blank instead of T, comma instead of the dot,
 * Z, UTC, GMT or nothing for the node's own zone) and `Jan 31 12:00:00` of syslog. Exit 3 with a message when lines have no time at all.
 * Variables: since, zone (`date +%z`), year, now.
 */
export const SINCE_AWK = String.raw`
function days(y, m, d,   e) {
  if (m <= 2) { y--; m += 12 }
  e = 365 * y + int(y / 4) - int(y / 100) + int(y / 400) + int((153 * (m - 3) + 2) / 5) + d - 1
  return e - 719468
}
function offset(z,   s) {
  gsub(/:/, "", z)
  s = substr(z, 1, 1) == "-" ? -1 : 1
  return s * (substr(z, 2, 2) * 3600 + substr(z, 4, 2) * 60)
}
function clock(t) { return substr(t, 1, 2) * 3600 + substr(t, 4, 2) * 60 + substr(t, 7, 2) }
function moment(line,   h, t, rest, f, o, at) {
  h = substr(line, 1, 64)
  if (match(h, /[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9][T ][0-9][0-9]:[0-9][0-9]:[0-9][0-9]/)) {
    t = substr(h, RSTART, 19)
    rest = substr(line, RSTART + 19, 40)
    f = 0
    if (match(rest, /^[.,][0-9]+/)) { f = ("0." substr(rest, 2, RLENGTH - 1)) + 0; rest = substr(rest, RLENGTH + 1) }
    if (match(rest, /^ ?[+-][0-9][0-9]:?[0-9][0-9]/)) { o = substr(rest, 1, RLENGTH); sub(/^ /, "", o); o = offset(o) }
    else if (match(rest, /^[Zz]/) || match(rest, /^ (UTC|GMT|Z)/)) o = 0
    else o = offset(zone)
    return days(substr(t, 1, 4) + 0, substr(t, 6, 2) + 0, substr(t, 9, 2) + 0) * 86400 + clock(substr(t, 12, 8)) + f - o
  }
  if (match(h, /^(<[0-9]+>)?(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]/)) {
    t = substr(h, RSTART, RLENGTH)
    sub(/^<[0-9]+>/, "", t)
    at = days(year, (index("JanFebMarAprMayJunJulAugSepOctNovDec", substr(t, 1, 3)) + 2) / 3, substr(t, 5, 2) + 0) * 86400 + clock(substr(t, 8, 8)) - offset(zone)
    # Syslog has no year: what would lie ahead was last year.
    if (at > now + 86400) at = days(year - 1, (index("JanFebMarAprMayJunJulAugSepOctNovDec", substr(t, 1, 3)) + 2) / 3, substr(t, 5, 2) + 0) * 86400 + clock(substr(t, 8, 8)) - offset(zone)
    # Whole seconds: the line may have come at any moment of its second.
    return at + 0.999
  }
  return ""
}
{
  at = moment($0)
  if (at != "") { known = 1; shown = (at >= since) }
  else if (!known) early = 1
  if (shown) print
}
END {
  if (NR > 0 && !known) { print "since: no line has a time that is understood" > "/dev/stderr"; exit 3 }
}
`;
