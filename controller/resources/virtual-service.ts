import type { Static } from 'typebox'
import { Type } from '../../schema/type.ts'
import { faultMembers } from './fault.ts'
import { integer, listOf, name, stringMatch } from './schema.ts'

/** The one host that there is: the workers of this cluster. */
export const workerHost = 'chat-worker'

const fault = Type.Object(faultMembers, {
  description: 'Breaks what takes this route, on purpose. Retries and timeouts stay on.',
})

const destination = Type.Object(
  {
    host: Type.Enum([workerHost], { description: 'The workers of this cluster.', default: workerHost }),
    subset: name('Name of a subset; without a DestinationRule a version.'),
  },
  { description: 'Which workers.' },
)

const match = Type.Object({
  namespace: Type.Optional(
    stringMatch('Namespace of the channel, empty for none. It must have slot groups of its own.'),
  ),
  slotGroup: Type.Optional(stringMatch('Slot group of the channel, as in `topics.groups`.')),
})

/** What a VirtualService says: which share of which rooms goes to which subset. */
export const virtualServiceSpec = Type.Object({
  hosts: listOf(name('A host.'), 32, {
    description: 'For people: clients reach the proxies whatever their host.',
    default: ['*'],
  }),
  ws: listOf(
    Type.Object({
      name: Type.Optional(name('For a Rollout to name it.')),
      match: listOf(match, 16, {
        description: 'The route holds where one of these matches with all that it has; empty: everywhere.',
        default: [],
      }),
      route: listOf(
        Type.Object({
          destination,
          weight: integer([0, 1_000_000], 'Its share of the slots, by the sum of all weights.', 1),
        }),
        16,
        { description: 'Where to, and which share of it.', minItems: 1 },
      ),
      fault: Type.Optional(fault),
    }),
    64,
    { description: 'The first route that matches a slot group holds.', minItems: 1 },
  ),
})

/** The type of `virtualServiceSpec`. */
export type VirtualServiceSpec = Static<typeof virtualServiceSpec>

/** One route of a VirtualService. */
export type WsRoute = VirtualServiceSpec['ws'][number]

/** Faults of a route as they are written. */
export type RouteFault = NonNullable<WsRoute['fault']>
