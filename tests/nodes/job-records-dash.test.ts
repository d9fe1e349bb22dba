import { describeJobs } from './job-records.ts';
import { SHELLS } from './support.ts';

describeJobs(SHELLS[0] as readonly string[]);
