// The peer: what anybody would write with the plain SDK. N activities one after another, in `lanes` lanes side by side.
import { proxyActivities } from '@temporalio/workflow';

const { spawnCommand } = proxyActivities({ startToCloseTimeout: '1 minute' });

export async function bareLoop({ lanes, stepsPerLane }) {
  const lane = async () => {
    for (let i = 0; i < stepsPerLane; i += 1) await spawnCommand('true');
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
