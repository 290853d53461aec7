/** Runs many seeds in as many processes as there are cores. */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { SeedResult } from './child.ts'
import { addCounts } from './counts.ts'
import type { Counts } from './counts.ts'

/** Seeds that a child gets at once. */
const seedsAtOnce = 8
/** A seed takes a fraction of a second; one that takes longer than this, in ms, hangs. */
const hangsAfterMs = 120_000

export interface PoolOptions {
  from: number
  seeds: number
  mutant?: string
  /** Goes on after a seed has failed. */
  keepGoing?: boolean
  /** Processes. */
  jobs?: number
  done?: (result: SeedResult) => void
}

export interface PoolResult {
  ran: number
  steps: number
  /** Processor time of all processes. */
  cpuMs: number
  /** What happened in all of them. */
  counts: Counts
  /** In the order of seeds. */
  failed: SeedResult[]
}

/** Simulates many seeds on all cores, until all are done or one fails. */
export async function simulate(options: PoolOptions): Promise<PoolResult> {
  const { from, seeds, jobs = availableParallelism(), keepGoing = false } = options
  const result: PoolResult = { ran: 0, steps: 0, cpuMs: 0, counts: {}, failed: [] }
  let next = from
  const take = (): number[] => {
    if (result.failed.length > 0 && !keepGoing) return []
    const first = next
    next = Math.min(next + seedsAtOnce, from + seeds)
    return Array.from({ length: next - first }, (_, index) => first + index)
  }
  const done = (each: SeedResult) => {
    result.ran++
    result.steps += each.steps
    result.cpuMs += each.cpuMs
    addCounts(result.counts, each.counts)
    if (each.problems.length > 0) result.failed.push(each)
    options.done?.(each)
  }
  await Promise.all(Array.from({ length: jobs }, () => runChild(options.mutant, take, done)))
  result.failed.sort((a, b) => a.seed - b.seed)
  return result
}

/** One child, until it gets no more seeds. */
function runChild(mutant: string | undefined, take: () => number[], done: (result: SeedResult) => void): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const child = fork(fileURLToPath(new URL('child.ts', import.meta.url)), mutant === undefined ? [] : [mutant], {
    env: childEnvironment(),
    execArgv: [],
  })
  let waiting = take()
  const hangs = () => {
    done({ seed: waiting[0]!, problems: [`not over after ${hangsAfterMs} ms`], steps: 0, cpuMs: 0, counts: {} })
    end(child)
  }
  let watchdog = setTimeout(hangs, hangsAfterMs)
  if (waiting.length > 0) child.send(waiting)
  else end(child)
  child.on('message', (result: SeedResult) => {
    clearTimeout(watchdog)
    waiting.shift()
    done(result)
    if (waiting.length === 0) {
      waiting = take()
      if (waiting.length === 0) return end(child)
      child.send(waiting)
    }
    watchdog = setTimeout(hangs, hangsAfterMs)
  })
  child.on('error', reject)
  child.on('exit', (code, signal) => {
    clearTimeout(watchdog)
    if (code === 0 || signal === 'SIGKILL') resolve()
    else reject(new Error(`a simulating process ended with ${code ?? signal}, at seed ${waiting[0]}`))
  })
  return promise
}

function end(child: ChildProcess): void {
  child.kill('SIGKILL')
}

/** Whoever measures this process (coverage, loaders) has no business in the children: they would be slow. */
export function childEnvironment(): NodeJS.ProcessEnv {
  const { NODE_V8_COVERAGE: _coverage, NODE_OPTIONS: _options, ...env } = process.env
  return env
}
