import type { Static } from 'typebox'
import { Type } from '../../schema/type.ts'
import { duration, integer, listOf, name, oneOf, texts } from './schema.ts'

/** Kinds of webhooks, by the names that Flagger has for them (docs.flagger.app/usage/webhooks). */
export const hookTypes = [
  'confirm-rollout',
  'pre-rollout',
  'rollout',
  'confirm-traffic-increase',
  'confirm-promotion',
  'post-rollout',
  'rollback',
  'event',
] as const

/** A kind of webhook. */
export type HookType = (typeof hookTypes)[number]

const templates = listOf(
  Type.Object({ templateName: name('Name of an AnalysisTemplate, or `delivery`, which is built in.') }),
  16,
  { description: 'What is measured.', default: [] },
)

const args = listOf(
  Type.Object({
    name: name('As in the template.'),
    value: Type.Optional(Type.String({ description: 'Its value.', maxLength: 256 })),
    valueFrom: Type.Optional(
      Type.Object(
        {
          podTemplateHashValue: Type.Enum(['Latest', 'Stable'], {
            description: 'The version of the canary, or the stable one.',
          }),
        },
        { description: 'Instead of `value`.' },
      ),
    ),
  }),
  64,
  {
    description: 'Values for the arguments of the templates. `canary` and `stable` are there: the two versions.',
    default: [],
  },
)

const step = oneOf(
  {
    setWeight: integer([0, 100], 'Percent of the slots that the canary is to have. Goes on when it has them.'),
    pause: Type.Object(
      {
        duration: Type.Optional(
          Type.Unsafe<string | number>({
            type: ['string', 'integer'],
            duration: true,
            minimum: 0,
            description: 'How long; a number counts seconds. Without it until a person promotes.',
          }),
        ),
      },
      { description: 'Waits.' },
    ),
    analysis: Type.Object({ templates, args }, { description: 'Goes on when the analysis has succeeded.' }),
  },
  'One step of a canary.',
)

const webhook = Type.Object({
  name: name('For people and reports.'),
  type: Type.Enum([...hookTypes], { description: 'When it is called, as in Flagger.' }),
  url: Type.String({
    description: 'Gets a POST; 2xx is a yes.',
    pattern: '^https?://[^\\s]+$',
    maxLength: 2_048,
    allowed: 'a URL with http or https',
  }),
  timeout: duration('Of one try.', '10s'),
  retries: integer([0, 10], 'Tries after the first.', 0),
  metadata: texts('Sent along as it is.', { default: {} }),
})

const canary = Type.Object(
  {
    stableService: Type.Optional(name('Subset that serves now; without it whichever does.')),
    canaryService: name('Subset that is to serve.'),
    scaleDownDelaySeconds: integer(
      [0, 604_800],
      'How long workers of the version that served are kept, from when they have no slot any more.',
      30,
    ),
    abortScaleDownDelaySeconds: integer([0, 604_800], 'The same for a canary that was aborted.', 30),
    trafficRouting: Type.Optional(
      Type.Object(
        {
          istio: Type.Object(
            {
              virtualService: Type.Object(
                {
                  name: name('Name of a VirtualService.'),
                  routes: listOf(name('Name of one of its routes.'), 64, {
                    description: 'Which of its routes; empty: all.',
                    default: [],
                  }),
                },
                { description: 'Whose weights the rollout sets.' },
              ),
            },
            { description: 'As Argo Rollouts has it; no Istio takes part.' },
          ),
        },
        { description: 'Which slots it moves. Without it all of them.' },
      ),
    ),
    analysis: Type.Optional(
      Type.Object(
        { startingStep: integer([0, 1_000], 'Index of the step that it begins with.', 0), templates, args },
        {
          description:
            'Runs beside the steps. Without it the built-in template `delivery` does; `templates: []` turns that off.',
        },
      ),
    ),
    steps: listOf(step, 100, { description: 'How the canary gets the slots; empty: at once.', default: [] }),
  },
  { description: 'The canary takes over step by step.' },
)

/** What a Rollout says: which version is to serve, and how it gets there. */
export const rolloutSpec = Type.Object({
  revisionHistoryLimit: integer([0, 100], 'Versions that served and are remembered.', 10),
  progressDeadlineSeconds: integer([1, 604_800], 'How long it may stand still.', 600),
  progressDeadlineAbort: Type.Boolean({
    description: 'Whether it is aborted then. Argo Rollouts has false here.',
    default: true,
  }),
  rollbackWindow: Type.Optional(
    Type.Object(
      { revisions: integer([0, 100], 'How many.') },
      { description: 'A version that served so many revisions ago at most is gone back to without steps.' },
    ),
  ),
  paused: Type.Boolean({ description: 'It stands still.', default: false }),
  strategy: Type.Object({ canary }, { description: 'The one strategy that there is.' }),
  webhooks: listOf(webhook, 32, { description: 'Who is asked and told over HTTP.', default: [] }),
})

/** The type of `rolloutSpec`. */
export type RolloutResourceSpec = Static<typeof rolloutSpec>
