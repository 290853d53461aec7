import { kindDocs, resourceDocs } from '../../../controller/resources/docs.ts'
import { ResourceError } from '../../../controller/resources/errors.ts'
import { knownKind } from '../../../controller/resources/resources.ts'
import { ControllerError } from '../../client/errors.ts'

/** Prints what a kind of resources may say, or docs/resources.md, which has all of them. */
export function explain(kind: string | null): void {
  try {
    process.stdout.write(kind === null ? resourceDocs() : kindDocs(knownKind(kind)))
  } catch (error) {
    throw error instanceof ResourceError ? new ControllerError(error.code, error.message, { cause: error }) : error
  }
}
