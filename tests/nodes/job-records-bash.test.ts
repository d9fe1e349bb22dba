import { describeJobs } from './job-records.ts';
import { SHELLS } from './support.ts';

describeJobs(SHELLS[1] as readonly string[]);
