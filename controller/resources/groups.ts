import { compilePattern } from '../../config/pattern.ts'
import type { StringMatch } from '../../protocol/records/fault.ts'
import type { VirtualServiceSpec, WsRoute } from './virtual-service.ts'

/** A slot group, and whose rooms it has. */
export interface GroupInfo {
  name: string
  slots: number
  /** All that are in it; '' stands for rooms without a namespace. */
  namespaces: readonly string[]
}

/** How much of a group a route is for. */
export type Coverage = 'whole' | 'part' | 'none'

/** The groups of a route: those that it matches as a whole, and those of which it matches a part. */
export function coverageOf(route: Pick<WsRoute, 'match'>, group: GroupInfo): Coverage {
  if (route.match.length === 0) return 'whole'
  const fits = route.match.filter(({ slotGroup }) => slotGroup === undefined || matches(slotGroup, group.name))
  const isMatched = (namespace: string): boolean =>
    fits.some((each) => each.namespace === undefined || matches(each.namespace, namespace))
  const matched = group.namespaces.filter(isMatched).length
  if (matched === 0) return 'none'
  return matched === group.namespaces.length ? 'whole' : 'part'
}

/** The groups that each route has, in the order of the routes: the first that matches a group has it. */
export function routedGroups({ ws }: VirtualServiceSpec, groups: readonly GroupInfo[]): GroupInfo[][] {
  const taken = new Set<string>()
  return ws.map((route) => {
    const own = groups.filter((group) => !taken.has(group.name) && coverageOf(route, group) === 'whole')
    for (const { name } of own) taken.add(name)
    return own
  })
}

function matches(match: StringMatch, text: string): boolean {
  if ('exact' in match) return text === match.exact
  if ('prefix' in match) return text.startsWith(match.prefix)
  return compilePattern(`^(?:${match.regex})$`).test(text)
}
