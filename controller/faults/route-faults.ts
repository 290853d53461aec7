import type { FaultMatch } from '../../protocol/records/fault.ts'
import type { VirtualServiceSpec } from '../resources/virtual-service.ts'
import { FaultError } from './errors.ts'
import { keptFault } from './rule.ts'
import type { KeptFault } from './rule.ts'

/**
 * The faults of a VirtualService's routes, one for each of a route's matches: named after it, and limited to what takes
 * the route. `skipped` says in one line why a fault is none.
 */
export function routeFaults(name: string, { ws }: VirtualServiceSpec): { faults: KeptFault[]; skipped: string[] } {
  const faults: KeptFault[] = []
  const skipped: string[] = []
  for (const [index, { name: route = String(index), match: matches, fault }] of ws.entries()) {
    if (!fault) continue
    const all: FaultMatch[] = matches.map(({ namespace, slotGroup }) => ({
      ...(namespace && { namespace }),
      ...(slotGroup && { group: slotGroup }),
    }))
    for (const [at, match] of (all.length > 0 ? all : [{}]).entries()) {
      try {
        faults.push(keptFault(`${name}/${route}${all.length > 1 ? `/${at}` : ''}`, { ...fault, match }))
      } catch (error) {
        if (!(error instanceof FaultError)) throw error
        skipped.push(error.message)
      }
    }
  }
  return { faults, skipped }
}
