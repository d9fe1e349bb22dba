import * as fc from 'fast-check';

// Everyday runs are repeatable: a property that fails, fails for everybody. The long set draws anew each time; fast-check prints the seed.
if (!process.env['ONETEAR_LONG']) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: 20_261_124 });
