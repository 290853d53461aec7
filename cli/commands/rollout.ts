import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../../config/config.ts'
import type { RolloutView } from '../../controller/rollouts/view.ts'
import { exitCodes } from '../../platform/exit-codes.ts'
import { ControllerClient } from '../client/client.ts'
import { ControllerError } from '../client/errors.ts'
import { printJson } from '../output/output.ts'
import { reportMarkdown } from '../output/rollout-report.ts'
import { drawnOver, drawRollout, rolloutLine } from '../output/rollout.ts'
import { table } from '../output/table.ts'

/** Time between two looks at a rollout that is watched. */
export const watchPollMs = 500

/** Time without a leading controller after which a rollout is watched no more; another one leads sooner. */
export const watchAbsenceMaxMs = 30_000

/** What `rollout get` is to show. */
export interface GetOptions {
  name: string | undefined
  json: boolean
  watch: boolean
}

/** Shows a rollout, or all; watches one until it has ended. */
export async function getRollout(config: Config, { name, json, watch }: GetOptions): Promise<void> {
  await withClient(config, async (client) => {
    if (name === undefined) return printAll(await client.rollouts(), json)
    if (!watch) return print(await client.rollout(name), json)
    await watched(client, name, screen(json), endsFromNow())
  })
}

/** Tells with its exit code whether a rollout is Healthy; waits for its end when it is to. */
export async function rolloutStatus(
  config: Config,
  { name, json, timeoutMs }: { name: string; json: boolean; timeoutMs: number | null },
): Promise<void> {
  await withClient(config, async (client) => {
    const until = performance.now() + (timeoutMs ?? 0)
    const isOver = ({ endedAt }: RolloutView) => endedAt !== null || performance.now() >= until
    const view =
      timeoutMs === null ? await client.rollout(name) : await watched(client, name, json ? () => {} : lines(), isOver)
    if (json) print(view, true)
    else if (timeoutMs === null) process.stdout.write(`${rolloutLine(view)}\n`)
    if (view.phase !== 'Healthy') process.exitCode = exitCodes.failure
  })
}

/** Tells a rollout what to do. */
export async function orderRollout(
  config: Config,
  { name, order, body, json }: { name: string; order: string; body: Record<string, unknown>; json: boolean },
): Promise<void> {
  await withClient(config, async (client) => print(await client.orderRollout(name, order, body), json))
}

/** Prints the report of the last rollout of a name that ended, or of a certain revision. */
export async function rolloutReport(
  config: Config,
  { name, revision, json }: { name: string; revision: number | null; json: boolean },
): Promise<void> {
  await withClient(config, async (client) => {
    const reports = await client.rolloutReports(name)
    const report = revision === null ? reports[0] : reports.find((each) => each.revision === revision)
    if (report === undefined) {
      const known = reports.map((each) => each.revision).join(', ')
      throw new ControllerError('no_report', `no report of revision ${revision}, only of ${known}`)
    }
    if (json) printJson(report)
    else process.stdout.write(reportMarkdown(report))
  })
}

async function withClient(config: Config, work: (client: ControllerClient) => Promise<void>): Promise<void> {
  const client = new ControllerClient(config)
  try {
    await work(client)
  } finally {
    await client.close()
  }
}

function print(view: RolloutView, json: boolean): void {
  if (json) printJson(view)
  else process.stdout.write(drawRollout(view))
}

function printAll(views: RolloutView[], json: boolean): void {
  if (json) return printJson(views)
  const rows = views.map(({ name, phase, reason, stable, canary, weights, message }) => ({
    name,
    phase,
    reason,
    stable,
    canary,
    actual: `${weights.actual[canary] ?? 0} %`,
    message,
  }))
  process.stdout.write(rows.length === 0 ? 'no rollouts\n' : table(rows))
}

/** Draws the rollout of a version until it has ended, or prints lines; one that is not known yet is waited for. */
export function watchVersion(
  client: ControllerClient,
  name: string,
  version: string,
  json: boolean,
): Promise<RolloutView> {
  const isOver = ({ endedAt, canary }: RolloutView) => endedAt !== null && canary === version
  return watched(client, name, screen(json), isOver, [...passing, 'unknown_rollout'])
}

/** Shows a rollout whenever it changes, until it is over. `waitsOut` are the errors that another controller ends. */
async function watched(
  client: ControllerClient,
  name: string,
  show: (view: RolloutView) => void,
  isOver: (view: RolloutView) => boolean,
  waitsOut = passing,
): Promise<RolloutView> {
  let seen = ''
  let heardAt = performance.now()
  for (;;) {
    const view = await client.rollout(name).catch((error: unknown) => {
      const isPassing = error instanceof ControllerError && waitsOut.includes(error.code)
      if (!isPassing || performance.now() - heardAt > watchAbsenceMaxMs) throw error
    })
    if (view) {
      heardAt = performance.now()
      const text = JSON.stringify(view)
      if (text !== seen) show(view)
      seen = text
      if (isOver(view)) return view
    }
    await sleep(watchPollMs)
  }
}

const passing: string[] = ['unreachable', 'not_leading', 'not_begun']

/** One that had ended before is waited for. */
function endsFromNow(): (view: RolloutView) => boolean {
  let wasUnderWay = false
  return ({ endedAt }) => {
    wasUnderWay ||= endedAt === null
    return wasUnderWay && endedAt !== null
  }
}

/** Draws over what it drew before where there is a terminal; prints lines otherwise. */
function screen(json: boolean): (view: RolloutView) => void {
  if (json) return (view) => process.stdout.write(`${JSON.stringify(view)}\n`)
  if (!process.stdout.isTTY) return lines()
  let before = ''
  return (view) => {
    const text = drawRollout(view)
    process.stdout.write(drawnOver(before, text))
    before = text
  }
}

function lines(): (view: RolloutView) => void {
  let last = ''
  return (view) => {
    const line = rolloutLine(view)
    if (line !== last) process.stdout.write(`${line}\n`)
    last = line
  }
}
