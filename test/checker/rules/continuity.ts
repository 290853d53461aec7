import type { Facts } from '../facts.ts'
import { findingsOf, type Finding } from '../finding.ts'

/**
 * Sockets close, and the server takes clients out of channels, only inside a declared window and with a code declared
 * for it.
 */
export function continuity(facts: Facts): Finding[] {
  const { found, add } = findingsOf('connection continuity')
  const windows = new Map<string, number[]>()
  for (const operation of facts.operations) {
    if (operation.kind === 'window-opened') windows.set(operation.name, operation.codes)
    else if (operation.kind === 'window-closed') windows.delete(operation.name)
    else if (operation.kind === 'closed' || operation.kind === 'unsubscribed') {
      const { kind, client, code, reason } = operation
      if ([...windows.values()].some((codes) => codes.includes(code))) continue
      const where = kind === 'closed' ? '' : ` in ${operation.channel}`
      const open = windows.size === 0 ? 'no window is open' : `open: ${[...windows.keys()].join(', ')}`
      add(`${client} was ${kind}${where} with ${code} ${reason} (${open})`, [operation])
    }
  }
  return found
}
