import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { frameRequest, streamPrelude } from '../../activities/nodes/shell-stream.ts';
import { shellWord } from '../../activities/nodes/shell-word.ts';
import { makeWorld, SHELLS, type World } from './support.ts';

/** Feeds a shell some bytes and end of file, and nothing else. */
function feed(shell: readonly string[], input: Buffer | string): { readonly stdout: string; readonly stderr: string } {
  const [program = '', ...args] = shell;
  const { stdout, stderr } = spawnSync(program, args, {
    input,
    encoding: 'utf8',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/tmp' },
  });
  return { stdout, stderr };
}

/** A stand-in for the verbs: says that the request was carried out, with what it was given. The frame around it is the real one. */
const ECHO = String.raw`
ot_start() { printf 'RAN %s\n' "$#"; printf '%s' "$6" >"$OUT"; }
`;

describe.each(SHELLS)('a request under %s %s', (...words) => {
  const shell = words.filter((word) => word !== undefined);
  let world: World;
  beforeEach(() => {
    world = makeWorld(shell);
  });
  afterEach(() => world.close());

  // Everything that could end a quote, begin a comment, substitute or expand stands in it, several lines, a nonce-like word, a multi-byte character.
  const script = `echo 'it''s' "\${HOME}" $(id) \`id\` #c\nrm -rf name-suffix; touch PWNED\n\\' € ' \n0123456789abcdef01234567 \n`;
  const nonce = '0123456789abcdef01234567'.replace('0', 'f');

  it('does nothing when it is cut at any byte, and everything when it is whole', () => {
    const out = world.path('script');
    const prelude = `${streamPrelude(shell)}${ECHO}OUT=${shellWord(out)}\ncd ${shellWord(world.root)}\n`;
    const request = Buffer.from(frameRequest(nonce, 'start', ['r1/j.t1', 'inc', '1', '2', 'sh', script, 'cd /\n', '']));
    // A shell process per byte is slow; the shell reads the bytes the same way whether the cut is one of them or the end of the input.
    // The last byte is the line's end: without it the request is whole.
    for (let cut = 0; cut < request.length - 1; cut++) {
      const { stdout } = feed(shell, Buffer.concat([Buffer.from(prelude), request.subarray(0, cut)]));
      if (stdout !== '') throw new Error(`cut at ${cut} of ${request.length}: ${stdout}`);
    }
    expect(readdirSync(world.root)).toEqual([]);
    expect(feed(shell, Buffer.concat([Buffer.from(prelude), request])).stdout).toBe('RAN 9\n');
    expect(world.read('script')).toBe(script);
  }, 60_000);

  it('does nothing when the prelude is cut', () => {
    const prelude = streamPrelude(shell);
    const request = frameRequest(nonce, 'hello', [world.root]);
    for (let cut = 0; cut < prelude.length; cut += 97) {
      feed(shell, prelude.slice(0, cut));
    }
    expect(readdirSync(world.root)).toEqual([]);
    expect(feed(shell, `${prelude}${request}`).stdout).toMatch(new RegExp(`^A ${nonce} ok [0-9a-f]{16}-\\w+ \\d+ .* ${nonce}\n$`));
  });

  it('hands every character over as it is', () => {
    let text = '';
    for (let code = 1; code < 0x800; code++) text += String.fromCodePoint(code);
    text += '€😀\u{10FFFF}\uFFFD\u2028';
    const out = world.path('script');
    const prelude = `${streamPrelude(shell)}${ECHO}OUT=${shellWord(out)}\n`;
    feed(shell, `${prelude}${frameRequest(nonce, 'start', ['j', 'i', '1', '2', 'sh', text, '', ''])}`);
    expect(world.read('script')).toBe(text);
  });
});
