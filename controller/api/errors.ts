import { CodedError } from '../../platform/errors.ts'

/** What the API refuses with: the code and its HTTP status. Nothing was done. */
export const apiErrors = {
  unauthorized: 401, // the bearer token is missing or wrong
  foreign_host: 403, // the `Host` header names none of this controller's names
  read_only: 403, // the token only reads
  not_found: 404, // no such path
  unknown_worker: 404, // none that lives has the id
  unknown_version: 404, // no worker that lives has the version
  unknown_slot: 404, // no group has the slot
  unknown_kind: 404, // no resources are of that kind
  unknown_resource: 404, // none of that kind has the name
  no_drain: 404, // the worker was not asked to drain
  faults_off: 403, // faults.enabled says that no fault may be set here
  unknown_fault: 404, // none of that name is set by itself
  unknown_rollout: 404, // no Rollout of that name is applied
  no_report: 404, // no rollout of that name, or of that revision, has ended
  rollout_refused: 409, // it does not go with the state that the rollout is in
  not_begun: 503, // nothing is known of the rollout yet: no version serves, or the leader has just begun
  last_worker: 409, // nobody would take its slots
  changed_meanwhile: 409, // something else changed it at the same time: try again
  invalid_fault: 422, // no fault, or none that its stage can have
  expiry_required: 422, // outside `holdfast dev` a fault must end by itself
  too_many_faults: 422, // as many are set as may be
  invalid_resource: 422, // an error was found in it, or in what it would leave behind
  out_of_range: 422, // the log does not have the offset
  too_many_streams: 429, // as many listen to events as may
  not_leading: 503, // another controller leads, or none for now
} as const

/** A code of an ApiError. */
export type ApiErrorCode = keyof typeof apiErrors

/** A request that is refused: the caller gets `{code, message}` with the status of the code. */
export class ApiError extends CodedError<ApiErrorCode> {
  /** HTTP status of the answer. */
  get status(): number {
    return apiErrors[this.code]
  }
}
