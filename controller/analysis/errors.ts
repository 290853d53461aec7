import { CodedError } from '../../platform/errors.ts'

/** Why an analysis cannot begin. */
export const analysisErrors = [
  'bad_condition', // a condition is no expression of the Common Expression Language
  'bad_argument', // one is missing, or has a text that could end the text that it is put into
  'bad_metric', // two metrics have one name, or a metric has not exactly one provider
] as const

/** A code of an AnalysisError. */
export type AnalysisErrorCode = (typeof analysisErrors)[number]

/** An analysis that cannot begin as it is written: nothing was measured. */
export class AnalysisError extends CodedError<AnalysisErrorCode> {}
