/** Proves what the Markdown of a report says: by examples, whole. */
import t from 'tap'
import { reportMarkdown } from '../../../cli/output/rollout-report.ts'
import type { RolloutReport } from '../../../controller/rollouts/report.ts'

const at = (second: number): number => Date.UTC(2026, 0, 2, 3, 4, second)

const aborted: RolloutReport = {
  name: 'chat',
  revision: 2,
  attempt: 1,
  outcome: 'aborted',
  message: 'aborted by ada',
  from: 'v1',
  to: 'v2',
  startedAt: at(5),
  endedAt: at(17),
  entries: [
    { at: at(5), type: 'RolloutUpdated', wanted: 0, had: 0, text: 'v1 → v2' },
    { at: at(9), type: 'RolloutStepCompleted', wanted: 50, had: 43.75, text: 'a | b\nc' },
    { at: at(10), type: 'RolloutAborted', wanted: 0, had: 50, text: 'aborted', who: 'write:ada' },
  ],
  countedSince: at(5),
  slotsMoved: 16,
  pausesMs: { p50: 8, p99: 30, max: 32 },
  closed: {},
  versions: {
    v1: { commands: 900, errors: 0, violations: 0, crashes: 0, batchMs: { p50: 5, p99: 20 } },
    v2: { commands: 0, errors: 0, violations: 0, crashes: 1, batchMs: { p50: null, p99: null } },
  },
  verdicts: [
    { analysis: 'delivery', phase: 'Failed', message: 'errors: 5 % of commands' },
    { analysis: 'rooms', phase: 'Successful', message: '' },
  ],
}

void t.test('what happened, what it cost, what each version did, verdicts and people', async (t) => {
  t.equal(
    reportMarkdown(aborted),
    `# chat: v1 → v2, aborted

Revision 2, attempt 1. 2026-01-02 03:04:05 to 2026-01-02 03:04:17, 12 s. aborted by ada.

## What happened

| time | what | wanted | had |  |
| --- | --- | --- | --- | --- |
| 2026-01-02 03:04:05 | RolloutUpdated | 0 % | 0 % | v1 → v2 |
| 2026-01-02 03:04:09 | RolloutStepCompleted | 50 % | 43.75 % | a \\| b c |
| 2026-01-02 03:04:10 | RolloutAborted | 0 % | 50 % | aborted |

## Slots and connections

- slots moved: 16; pauses p50 8 ms, p99 30 ms, max 32 ms

- connections that ended: none

## Versions

| version | commands | errors | violations | crashes | batch p50 | batch p99 |
| --- | --- | --- | --- | --- | --- | --- |
| v1 | 900 | 0 | 0 | 0 | 5 ms | 20 ms |
| v2 | 0 | 0 | 0 | 1 | - | - |

## Verdicts

- delivery: Failed, errors: 5 % of commands
- rooms: Successful

## Who did what

- 2026-01-02 03:04:10 write:ada: RolloutAborted, aborted
`,
  )
})

void t.test(
  'connections that ended, another controller before, and that nothing was judged or done by anybody',
  async (t) => {
    const text = reportMarkdown({
      ...aborted,
      closed: { '3005': 2, client: 1 },
      countedSince: at(8),
      verdicts: [],
      entries: [],
      pausesMs: { p50: null, p99: null, max: null },
    })
    t.match(text, '- slots moved: 16; pauses p50 -, p99 -, max -\n')
    t.match(text, '- connections that ended: 2 (3005), 1 (client)\n')
    t.match(text, '- counted since 2026-01-02 03:04:08: another controller led before\n')
    t.match(text, '## Verdicts\n\nNo analysis ran.\n')
    t.match(text, '## Who did what\n\nNobody did anything.\n')
  },
)
