/**
 * What a shell on another machine is told first: the environment that jobs inherit. The empty line parts us from what a login shell's
 * rc files may have said. A non-interactive PATH often lacks the sbin folders, and then fault tools are silently not found.
 */
export const REMOTE_SETUP = [
  'echo',
  'for ot_p in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do case ":$PATH:" in *":$ot_p:"*) ;; *) PATH=$PATH${PATH:+:}$ot_p ;; esac; done',
  'export PATH',
  '[ -n "$HOME" ] || { HOME=/; export HOME; }',
  'cd /',
  '',
].join('\n');
