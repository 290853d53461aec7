import type { Static } from 'typebox'
import { Type } from '../../schema/type.ts'
import { duration, integer, listOf, name } from './schema.ts'
import { workerHost } from './virtual-service.ts'

const outlierDetection = Type.Object(
  {
    consecutive5xxErrors: integer(
      [0, 1_000_000],
      'Commands in a row that end in error 100; 0: does not count, nor does failing at half of them (docs/rollouts.md).',
      5,
    ),
    consecutiveGatewayErrors: integer(
      [0, 1_000_000],
      'Looks in a row at which it stalled: records wait and nothing is committed; 0: does not count.',
      0,
    ),
    interval: duration('How often workers are looked at.', '10s'),
    baseEjectionTime: duration('How long a worker gets no slots, times how often that happened to it.', '30s'),
    maxEjectionPercent: integer([0, 100], 'Share of the workers of a subset that may be ejected, one at least.', 10),
    minHealthPercent: integer([0, 100], 'With fewer healthy workers in a subset nobody is ejected.', 0),
  },
  { description: 'Ejects workers that err or stall. Absent: none is ejected.' },
)

const slotHandoff = Type.Object(
  {
    maxParallel: Type.Optional(integer([1, 1_024], 'Hand-offs at a time; without it `controller.parallel_handoffs`.')),
    order: Type.Enum(['coldest-first'], {
      description: 'Which slots move first: those with the fewest commands.',
      default: 'coldest-first',
    }),
    warmup: Type.Object(
      {
        maxLagMessages: integer([0, 1_000_000], 'Records that the successor may be behind when it takes over.', 100),
        timeout: duration('After it, the slot moves as far as the successor is.', '20s'),
      },
      { description: 'The successor loads the slot before the owner stops.', default: {} },
    ),
    drainTimeout: duration('After it, the owner is fenced without waiting.', '10s'),
    maxPause: duration('A pause of a slot that is longer counts against the rollout.', '250ms'),
  },
  { description: 'How slots go from one worker to another.', default: {} },
)

const versions = (what: string) =>
  Type.Object(
    {
      min: integer([0, 1_000_000_000], 'The lowest that it works with.', 0),
      max: Type.Optional(integer([0, 1_000_000_000], 'The highest that it works with; without it any.')),
    },
    { description: what },
  )

/** What a DestinationRule says: what the subsets are, and how they get and lose slots. */
export const destinationRuleSpec = Type.Object({
  host: Type.Enum([workerHost], { description: 'The workers of this cluster.' }),
  trafficPolicy: Type.Object(
    {
      outlierDetection: Type.Optional(outlierDetection),
      slotHandoff,
      weightBy: Type.Enum(['slots', 'traffic'], {
        description: 'Whether weights are shares of slots, or of the commands that were measured in them.',
        default: 'slots',
      }),
    },
    { description: 'For all subsets.', default: {} },
  ),
  subsets: listOf(
    Type.Object({
      name: name('As routes and rollouts call it.'),
      labels: Type.Object(
        { version: name('Version of the workers (`--version`).') },
        { description: 'Which workers are in it.' },
      ),
      compat: Type.Optional(
        Type.Object(
          {
            frameSchema: Type.Optional(versions('Versions of what clients send and get.')),
            dbSchema: Type.Optional(versions('Versions of the tables.')),
          },
          { description: 'What it works with. Subsets that share a route must have a version in common.' },
        ),
      ),
    }),
    64,
    { description: 'Names for versions. Where there are none, each version is a subset of its own name.', default: [] },
  ),
})

/** The type of `destinationRuleSpec`. */
export type DestinationRuleSpec = Static<typeof destinationRuleSpec>

/** One subset of a DestinationRule. */
export type Subset = DestinationRuleSpec['subsets'][number]
