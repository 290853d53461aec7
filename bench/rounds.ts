import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { Part } from './without.ts'

/** Publishes of a round, of which so many at once wait for their answer. */
export interface RoundLoad {
  name: string
  publishes: number
  atOnce: number
}

export interface RoundsOrder {
  part: Part
  rounds: number
  loads: RoundLoad[]
}

/** CPU for each publish in one round, µs. */
export interface Round {
  asItIs: number
  /** The same code once more: what two rounds differ by when nothing does. */
  again: number
  without: number
}

export interface RoundsReport {
  /** By the name of the load. */
  loads: Record<string, Round[]>
  /** Bytes of the heartbeats of the worker, oldest first. */
  beats: { asItIs: number[]; without: number[] }
}

/** Measures the path of a publish with a part of our code and without it, in turn, in a process of its own. */
export async function measureRounds(order: RoundsOrder): Promise<RoundsReport> {
  const child = fork(new URL('without-process.ts', import.meta.url), { stdio: 'inherit' })
  const ended = once(child, 'exit').then(() => [{ error: 'the measuring process ended' }])
  child.send(order)
  const [{ result, error }] = (await Promise.race([once(child, 'message'), ended])) as [
    { result?: RoundsReport; error?: string },
  ]
  child.kill()
  await ended
  if (result === undefined) throw new Error(error)
  return result
}
