import { compilePattern } from '../../config/pattern.ts'
import type { StringMatch } from '../../protocol/records/fault.ts'

/** What of a VirtualService tells which slot groups a route is about. */
export interface RoutePart {
  name?: string
  /** It holds where one of these matches with all that it has; empty: everywhere. */
  match?: { namespace?: StringMatch; slotGroup?: StringMatch }[]
}

/** A slot group, and the namespaces that it was made for. */
export interface GroupPart {
  name: string
  namespaces: readonly string[]
}

/** Slot groups whose route is one of those named (any, when none is): the first that matches a group is its route. */
export function routeGroups(
  routes: readonly RoutePart[],
  names: readonly string[],
  groups: readonly GroupPart[],
): string[] {
  const isNamed = ({ name }: RoutePart) => names.length === 0 || (name !== undefined && names.includes(name))
  return groups
    .filter((group) => {
      const route = routes.find((each) => isAbout(each, group))
      return route !== undefined && isNamed(route)
    })
    .map(({ name }) => name)
}

function isAbout({ match = [] }: RoutePart, { name, namespaces }: GroupPart): boolean {
  if (match.length === 0) return true
  return match.some(({ namespace, slotGroup }) => {
    if (slotGroup !== undefined && !isLike(slotGroup, name)) return false
    // The default group has all namespaces without one of their own: no match is about the whole of it.
    return namespace === undefined || (namespaces.length > 0 && namespaces.every((each) => isLike(namespace, each)))
  })
}

function isLike(match: StringMatch, text: string): boolean {
  if ('exact' in match) return text === match.exact
  return 'prefix' in match ? text.startsWith(match.prefix) : compilePattern(`^(?:${match.regex})$`).test(text)
}
