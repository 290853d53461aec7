import type { Static } from 'typebox'
import { Type } from '../../schema/type.ts'
import { duration, integer, listOf, name, number, oneOf } from './schema.ts'

/** What the built-in counters can be asked. */
export const countersJudge = ['errors', 'refusals', 'effects', 'latency', 'violations', 'crashes'] as const

const prometheus = Type.Object(
  {
    address: Type.String({
      description: 'Its base URL, `http://prometheus:9090`.',
      pattern: '^https?://[^\\s]+$',
      maxLength: 2_048,
      allowed: 'a URL with http or https',
    }),
    query: Type.String({
      description: 'PromQL, asked as an instant query. `{{args.NAME}}` stands for an argument.',
      minLength: 1,
      maxLength: 16_384,
    }),
    timeout: Type.Optional(integer([1, 300], 'Seconds until it must have answered; 30 without it.')),
  },
  { description: 'A Prometheus is asked. No data, NaN and no answer are never a success.' },
)

const counters = Type.Object(
  {
    judge: Type.Enum([...countersJudge], { description: 'What is compared.' }),
    alpha: Type.Optional(
      number([0.000_001, 0.5], 'How often a canary that is as good may fail by chance, however often it is looked at.'),
    ),
    minIncrease: Type.Optional(
      number([0, 1], 'Of `errors`, `refusals`, `effects`: a rate that is higher by less is no failure.'),
    ),
    ratio: Type.Optional(number([1, 1_000], 'Of `latency`: what is less than so many times as slow is no failure.')),
    floorMs: Type.Optional(number([0, 60_000], 'Of `latency`: what takes less is not slow.')),
    max: Type.Optional(integer([0, 1_000_000], 'Of `violations`, `crashes`: so many are no failure.')),
    minCommands: Type.Optional(integer([0, 1_000_000], 'With fewer commands of the canary there is no data.')),
  },
  { description: 'The canary is compared with the stable version by what workers and proxies count.' },
)

const rooms = Type.Object(
  {
    minRooms: Type.Optional(integer([1, 1_000_000], 'With fewer judged rooms there is no data.')),
    maxBadRooms: Type.Optional(integer([0, 1_000_000], 'More harmed rooms are a failure.')),
    maxBadRatioDelta: Type.Optional(
      number([0, 1], 'The share of harmed rooms may exceed that of the stable version by this.'),
    ),
    alpha: Type.Optional(number([0.000_001, 0.5], 'Of the rooms that are called harmed at most this share is not.')),
    badWhen: Type.Optional(
      Type.Object(
        {
          deliveryViolations: Type.Optional(integer([0, 1_000_000], 'More violations than this.')),
          errors: Type.Optional(number([0, 1], 'A rate of errors that is higher by this than the room had before.')),
          late: Type.Optional(
            number([0, 1], 'A rate of late answers that is higher by this than the room had before.'),
          ),
        },
        { description: 'When a room counts as harmed.' },
      ),
    ),
  },
  { description: 'Each room is judged against its own past, and the harmed ones are counted.' },
)

const condition = (description: string) => Type.Optional(Type.String({ description, minLength: 1, maxLength: 1_024 }))

/** What an AnalysisTemplate says: what is measured, and what of it is a failure. */
export const analysisTemplateSpec = Type.Object({
  args: listOf(
    Type.Object({
      name: name('As `{{args.NAME}}` in queries and conditions.'),
      value: Type.Optional(Type.String({ description: 'What it is when nobody gives it.', maxLength: 1_024 })),
    }),
    64,
    {
      description: 'What differs from use to use. `canary` and `stable`, the two versions, are always given.',
      default: [],
    },
  ),
  metrics: listOf(
    Type.Object({
      name: name('For people and reports.'),
      interval: Type.Optional(
        duration('Between the end of a measurement and the next; without it there is one measurement.'),
      ),
      initialDelay: Type.Optional(duration('Before the first.')),
      count: Type.Optional(
        integer([1, 1_000_000], 'Measurements; without it, and with an interval, they go on until the analysis ends.'),
      ),
      failureLimit: integer([0, 1_000_000], 'Failed measurements that are no failure.', 0),
      inconclusiveLimit: integer([0, 1_000_000], 'Inconclusive measurements that do not pause.', 0),
      consecutiveErrorLimit: integer([0, 1_000_000], 'Errors in a row that are none.', 4),
      successCondition: condition('Of `prometheus`: over `result`, in the Common Expression Language.'),
      failureCondition: condition('The same; what fulfils neither is inconclusive.'),
      provider: oneOf({ prometheus, counters, rooms }, 'Where a measurement comes from: exactly one.'),
    }),
    32,
    { description: 'What is measured.', minItems: 1 },
  ),
})

/** The type of `analysisTemplateSpec`. */
export type AnalysisTemplateResourceSpec = Static<typeof analysisTemplateSpec>
