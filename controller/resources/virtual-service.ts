import { Type } from 'typebox'
import type { Static } from 'typebox'
import { faultStages } from '../../protocol/records/fault.ts'
import { duration, integer, listOf, name, number, stringMatch } from './schema.ts'

/** The one host that there is: the workers of this cluster. */
export const workerHost = 'chat-worker'

const percentage = Type.Object(
  { value: number([0, 100], 'From 0 to 100.', 0) },
  { description: 'Share of what the stage sees. Absent: none, as in Istio.', default: {} },
)

const fault = Type.Object(
  {
    delay: Type.Optional(
      Type.Object(
        { percentage, fixedDelay: duration('How long.') },
        { description: 'What is struck waits before it goes on.' },
      ),
    ),
    abort: Type.Optional(
      Type.Object(
        {
          percentage,
          code: Type.Optional(integer([100, 4_999], 'Error that the command gets.')),
          wsCloseCode: Type.Optional(integer([1_000, 4_999], 'Code that the connection is closed with.')),
        },
        { description: 'What is struck fails.' },
      ),
    ),
    kill: Type.Optional(Type.Object({ percentage }, { description: 'The process ends as SIGKILL ends it.' })),
    stage: Type.Enum([...faultStages], { description: 'Where it strikes.' }),
    seed: integer([0, 2 ** 32 - 1], 'The same seed strikes the same frames, records and requests.', 0),
    expiresAfter: Type.Optional(
      duration('Time from when the resource is applied after which it ends. Must be set outside `holdfast dev`.'),
    ),
  },
  { description: 'Breaks what takes this route, on purpose. Retries and timeouts stay on.' },
)

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
