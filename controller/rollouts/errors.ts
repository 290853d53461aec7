import { CodedError } from '../../platform/errors.ts'

/** Why a command to a rollout has had no effect. */
export const rolloutErrors = [
  'unknown_rollout', // no Rollout of that name is applied
  'not_begun', // nothing is known of it yet: no version serves, or this controller has just begun to lead
  'rollout_refused', // it does not go with the state that the rollout is in
  'changed_meanwhile', // something else changed the rollout or its resource at the same time: try again
  'not_leading', // another controller leads
] as const

/** A code of a RolloutError. */
export type RolloutErrorCode = (typeof rolloutErrors)[number]

/** A command to a rollout that had no effect; the message is for a person. */
export class RolloutError extends CodedError<RolloutErrorCode> {}
