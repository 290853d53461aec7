import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { parse } from 'yaml'
import type { Config } from '../../../config/config.ts'
import { ControllerClient } from '../../client/client.ts'
import { printJson } from '../../output/output.ts'

/** A fault as flags say it. */
export interface FaultFlags {
  stage?: string
  /** How long. */
  delay?: string
  abort?: boolean
  kill?: boolean
  percentage: number
  code?: number
  wsCloseCode?: number
  /** Each the whole text, or how it begins with `*` at its end. */
  namespace?: string
  group?: string
  workerVersion?: string
  user?: string
  seed?: number
  expiresAfter?: string
}

/** The fault that flags say, as the API takes it. What is wrong with it the API tells. */
export function faultOf(flags: FaultFlags): Record<string, unknown> {
  const { stage, delay, abort, kill, code, wsCloseCode, seed, expiresAfter } = flags
  const share = { percentage: { value: flags.percentage } }
  const texts = { namespace: flags.namespace, group: flags.group, version: flags.workerVersion, user: flags.user }
  const match = Object.entries(texts).flatMap(([subject, wanted]) =>
    wanted === undefined ? [] : [[subject, matchOf(wanted)] as const],
  )
  return {
    ...(stage !== undefined && { stage }),
    ...(match.length > 0 && { match: Object.fromEntries(match) }),
    ...(delay !== undefined && { delay: { ...share, fixedDelay: delay } }),
    ...(abort && {
      abort: { ...share, ...(code !== undefined && { code }), ...(wsCloseCode !== undefined && { wsCloseCode }) },
    }),
    ...(kill && { kill: share }),
    ...(seed !== undefined && { seed }),
    ...(expiresAfter !== undefined && { expiresAfter }),
  }
}

/** Sets the fault of this name. */
export async function setFault(config: Config, name: string, fault: unknown, json: boolean): Promise<void> {
  const client = new ControllerClient(config)
  try {
    const { revision } = await client.setFault(name, fault)
    if (json) printJson({ name, revision })
    else process.stdout.write(`fault ${name} is set\n`)
  } finally {
    await client.close()
  }
}

/** A fault of a YAML or JSON file, `-` for standard input, with its name. */
export async function faultFile(path: string): Promise<{ name: string | undefined; fault: unknown }> {
  const value: unknown = parse(path === '-' ? await text(process.stdin) : readFileSync(path, 'utf8'))
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { name: undefined, fault: value }
  const { name, ...fault } = value as Record<string, unknown>
  return { name: typeof name === 'string' ? name : undefined, fault }
}

function matchOf(wanted: string): { exact: string } | { prefix: string } {
  return wanted.endsWith('*') ? { prefix: wanted.slice(0, -1) } : { exact: wanted }
}
