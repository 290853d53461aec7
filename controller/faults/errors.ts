import { CodedError } from '../../platform/errors.ts'

/** Why a fault is not set or cleared. Nothing was done. */
export const faultErrorCodes = [
  'faults_off', // `faults.enabled` says that none may be set here
  'invalid_fault', // not a fault, or one that its stage cannot have
  'expiry_required', // outside `holdfast dev` each must end by itself
  'too_many_faults', // as many are set as may be
  'unknown_fault', // none of that name is set
  'changed_meanwhile', // somebody else changed the faults at the same time
  'not_leading', // another controller leads by now
] as const

/** A code of a FaultError. */
export type FaultErrorCode = (typeof faultErrorCodes)[number]

/** A fault that is not set or cleared. */
export class FaultError extends CodedError<FaultErrorCode> {}
