import { resolve } from 'node:path'
import type { Config } from '../../config/config.ts'
import { exitCodes } from '../../platform/exit-codes.ts'
import { ControllerClient } from '../client/client.ts'
import { ControllerError } from '../client/errors.ts'
import { printJson } from '../output/output.ts'
import { ReleaseError } from '../releases/errors.ts'
import { Releases } from '../releases/releases.ts'
import { rolloutDocument, rolloutName } from '../releases/rollout-document.ts'
import type { RolloutDocument, TakeOver } from '../releases/rollout-document.ts'
import { sourceAt } from '../releases/source.ts'
import type { Source } from '../releases/source.ts'
import { watchVersion } from './rollout.ts'

/** What is deployed, and how it is to take over. */
export interface DeployOptions extends TakeOver {
  /** An app module, a directory with one, or a checkout. */
  path: string
  /** Workers that run it; null for as many as `dev.workers` says. */
  workers: number | null
  /** Draws the rollout until it has ended. */
  watch: boolean
  json: boolean
}

/** Keeps a release, rolls it out, and watches that when it is to. Throws ReleaseError and ControllerError. */
export async function deploy(config: Config, options: DeployOptions): Promise<void> {
  const { path, version, watch, json } = options
  const source = sourceAt(path)
  const client = new ControllerClient(config)
  try {
    const say = (line: string) => json || process.stdout.write(`${line}\n`)
    const { supervisor } = await client.status()
    if (supervisor === null) say(startedElsewhere(version))
    else await keep(config, supervisor, source, options, say)
    const outcome = await apply(client, options)
    if (supervisor !== null) await prune(config, client, version)
    if (watch) return await untilServes(client, version, json)
    if (json) printJson({ version, rollout: rolloutName, outcome })
    else say(`Rollout/${rolloutName} ${outcome}: "holdfast rollout get ${rolloutName} --watch" shows how far it is`)
  } finally {
    await client.close()
  }
}

/** Throws ReleaseError `elsewhere` when a supervisor would not find the releases of our data directory. */
export function releasesOf(config: Config, supervisor: string): Releases {
  if (resolve(config.data_dir) !== supervisor) {
    const advice = `say so with --data_dir or HOLDFAST_DATA_DIR=${supervisor}`
    throw new ReleaseError('elsewhere', `this cluster keeps its releases in ${supervisor}: ${advice}`)
  }
  return new Releases(config.data_dir)
}

const startedElsewhere = (version: string): string =>
  `No "holdfast dev" starts the processes of this cluster: nothing is kept here, and the rollout waits until whatever ` +
  `does start them has started workers of ${version}.`

async function keep(
  config: Config,
  supervisor: string,
  source: Source,
  { version, workers, path }: DeployOptions,
  say: (line: string) => void,
): Promise<void> {
  const release = await releasesOf(config, supervisor).keep(source, { version, workers }, new Date())
  say(`${version} is kept: a copy of ${path} (${release.kind}, ${release.entry})`)
}

/** Returns what became of the Rollout: `created`, `configured` or `unchanged`. */
async function apply(client: ControllerClient, takeOver: TakeOver): Promise<string> {
  const before = await client.resource('Rollout', rolloutName).catch((error: unknown) => {
    if (error instanceof ControllerError && error.code === 'unknown_resource') return null
    throw error
  })
  const document = rolloutDocument(takeOver, (before?.resource ?? null) as RolloutDocument | null)
  const { outcomes } = await client.apply([document])
  return outcomes[0]?.outcome ?? 'unchanged'
}

async function prune(config: Config, client: ControllerClient, version: string): Promise<void> {
  const releases = new Releases(config.data_dir)
  const wanted = (await client.versions()).flatMap((each) => (each.wanted || each.slots > 0 ? each.version : []))
  releases.prune(new Set([version, ...wanted, ...releases.wanted.map((release) => release.version)]))
}

/** Draws the rollout until it has ended; ends with 1 unless the version serves then. */
export async function untilServes(client: ControllerClient, version: string, json: boolean): Promise<void> {
  const end = await watchVersion(client, rolloutName, version, json)
  if (end.phase !== 'Healthy' || end.stable !== version) process.exitCode = exitCodes.failure
}
