'use strict';
// Loaded by Temporal's worker by its path, hence CommonJS: messages and stacks of failures become a payload, which the codec encrypts.
// The same for workflow code: workflows/failure-converter.ts.
const { DefaultFailureConverter } = require('@temporalio/common');

const clear = new DefaultFailureConverter();
const encoded = new DefaultFailureConverter({ encodeCommonAttributes: true });

exports.failureConverter = {
  // Why a payload was refused is our own text about keys: whoever lacks one must be able to read it.
  errorToFailure: (error, ...rest) => (error?.code === 'PAYLOAD_REFUSED' ? clear : encoded).errorToFailure(error, ...rest),
  failureToError: (...given) => encoded.failureToError(...given),
};
