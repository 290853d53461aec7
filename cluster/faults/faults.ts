import type { Logger } from 'pino'
import type { ChannelNames } from '../../config/channel-name.ts'
import type { Metrics } from '../../observability/metrics.ts'
import type { Clock, Timer } from '../../platform/clock.ts'
import { checkFault, faultsMax } from '../../protocol/records/fault.ts'
import type { Fault, FaultKind, FaultStage } from '../../protocol/records/fault.ts'
import { ActiveFault } from './active-fault.ts'
import type { Struck } from './matching.ts'

/** What faults stand on, and how they are limited. */
export interface FaultsOptions {
  clock: Clock
  logger: Logger
  metrics: Metrics
  /** False where none are wanted: then what is set is rejected. */
  isEnabled: boolean
  names: ChannelNames
  /** Ends the process as SIGKILL does. */
  kill: () => void
}

/** What befalls a frame or a request. A kill comes after the delay and before the abort. */
export interface Strike {
  /** Name of the fault; of the first, where there are several. */
  fault: string
  delayMs: number
  abort: { code?: number; wsCloseCode?: number } | null
  isKilled: boolean
}

/**
 * What tells one frame, record or request from others in every run: its own place, or whose it is, a user or a slot. Of
 * each of those what a rule could strike is numbered.
 */
export type Which = { identity: string } | { of: string }

/** A record of a slot that a kill may be drawn for. */
export interface StruckRecord extends Struck {
  offset: number
}

/**
 * The faults that operators have set, in a process where they may strike: which are set, when they end, and what befalls
 * a frame, record or request at a stage. A stage asks `isSet` first: that is all that it costs while there are none.
 */
export class Faults {
  /** Some fault is set. */
  isSet = false
  readonly #options: FaultsOptions
  #active: ActiveFault[] = []
  #expiry: Timer | null = null

  constructor(options: FaultsOptions) {
    this.#options = options
  }

  /**
   * These are set now, and no others. Returns why they are not, in one line: they are off here, or one of them is none;
   * then those that were set go on until they end.
   */
  set(rules: Fault[]): string | null {
    const { clock, isEnabled, names } = this.#options
    if (rules.length > faultsMax) return `${rules.length} faults are too many, ${faultsMax} is the most`
    if (rules.length > 0 && !isEnabled) return 'faults are off here (faults.enabled)'
    const now = clock.monotonic()
    const before = new Map(this.#active.map((active) => [active.rule.name, active]))
    try {
      for (const rule of rules) checkFault(rule)
      this.#follow(rules.map((rule) => new ActiveFault(rule, names, now, before.get(rule.name))))
    } catch (error) {
      return (error as Error).message
    }
    return null
  }

  /**
   * What befalls one frame, record or request at a stage, null for nothing. `subjects` is what it is about: a rule applies
   * when one of them matches.
   */
  strike(stage: FaultStage, subjects: readonly Struck[], which: Which): Strike | null {
    let strike: Strike | null = null
    for (const active of this.#at(stage)) {
      if (!subjects.some(active.matches)) continue
      const identity = 'identity' in which ? which.identity : `${which.of}#${active.count(which.of)}`
      const { name, delay, abort } = active.rule
      const delayed = active.isDrawn('delay', identity)
      const aborted = active.isDrawn('abort', identity)
      // At a worker's stages a kill is for a record, so that it comes once: see `killing`.
      const isKilled = isProxyStage(stage) && active.isDrawn('kill', identity)
      if (!delayed && !aborted && !isKilled) continue
      strike ??= { fault: name, delayMs: 0, abort: null, isKilled: false }
      if (delayed) strike.delayMs = Math.max(strike.delayMs, delay!.fixedDelay)
      if (aborted) strike.abort ??= abort!
      strike.isKilled ||= isKilled
      if (delayed) this.#count(active, 'delay')
      if (aborted) this.#count(active, 'abort')
      if (isKilled) this.#count(active, 'kill')
    }
    return strike
  }

  /**
   * A request at a stage: waits out what delays it, ends the process, or rejects with the error that `failure` makes, as
   * if whoever it is sent to had not answered.
   */
  async request(
    stage: FaultStage,
    subjects: readonly Struck[],
    of: string,
    failure: (message: string) => Error,
  ): Promise<void> {
    const strike = this.strike(stage, subjects, { of })
    if (strike === null) return
    if (strike.delayMs > 0) await this.#options.clock.sleep(strike.delayMs)
    if (strike.isKilled) this.kill(strike.fault)
    if (strike.abort) throw failure(`fault ${strike.fault}`)
  }

  /**
   * The first record for which the worker is to be killed at this stage, null for none. Records up to `killed` have had
   * their kill.
   */
  killing(
    stage: FaultStage,
    slot: string,
    records: readonly StruckRecord[],
    killed: number | null,
  ): { offset: number; fault: string } | null {
    const rules = this.#at(stage).filter(({ rule }) => rule.kill !== undefined)
    if (rules.length === 0) return null
    for (const record of records) {
      if (killed !== null && record.offset <= killed) continue
      const identity = `${slot}@${record.offset}`
      const active = rules.find((rule) => rule.matches(record) && rule.isDrawn('kill', identity))
      if (active === undefined) continue
      this.#count(active, 'kill')
      return { offset: record.offset, fault: active.rule.name }
    }
    return null
  }

  /** Ends the process as SIGKILL does. */
  kill(fault: string): void {
    this.#options.logger.fatal({ fault }, 'killed by a fault')
    this.#options.kill()
  }

  /** Nothing is set any more, and nothing runs. */
  stop(): void {
    this.#follow([])
  }

  #at(stage: FaultStage): ActiveFault[] {
    return this.#active.filter(({ rule }) => rule.stage === stage)
  }

  #follow(active: ActiveFault[]): void {
    const { clock, metrics, logger } = this.#options
    const names = (of: ActiveFault[]) => of.map(({ rule }) => rule.name)
    if (JSON.stringify(names(active)) !== JSON.stringify(names(this.#active)))
      logger.warn({ faults: names(active) }, active.length > 0 ? 'faults are set' : 'no fault is set any more')
    this.#active = active
    this.isSet = active.length > 0
    metrics.faultsActive.set(active.length)
    this.#expiry?.cancel()
    this.#expiry = null
    const next = Math.min(...active.map(({ endsAt }) => endsAt))
    if (next !== Infinity) this.#expiry = clock.after(next - clock.monotonic(), () => this.#expire())
  }

  /** By this process's own clock, whatever the time is elsewhere and whether a controller lives or not. */
  #expire(): void {
    const now = this.#options.clock.monotonic()
    this.#follow(this.#active.filter(({ endsAt }) => endsAt > now))
  }

  #count({ rule }: ActiveFault, kind: FaultKind): void {
    this.#options.metrics.faultsInjected.inc({ fault: rule.name, stage: rule.stage, kind })
  }
}

function isProxyStage(stage: FaultStage): boolean {
  return stage === 'proxy.onFrame' || stage === 'proxy.onSend' || stage === 'produce'
}
