import { connect } from 'node:net';

/** True when something accepts connections at `host:port` within the time. */
export function answers(address: string, withinMs: number): Promise<boolean> {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
  const port = Number(address.slice(colon + 1));
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const settle = (result: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(result);
    };
    const timer = setTimeout(() => settle(false), withinMs);
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
  });
}
