/** What the worker bundles: one function per workflow type of `WORKFLOW`. */
export { fanout } from './fanout/fanout.ts';
export { fault } from './fault/fault.ts';
export { shard } from './suite/shard.ts';
export { suite } from './suite/suite.ts';
export { testcase } from './testcase/testcase.ts';
