import { describeJobs } from './job-records.ts';
import { SHELLS } from './support.ts';

describeJobs(SHELLS[2] as readonly string[]);
