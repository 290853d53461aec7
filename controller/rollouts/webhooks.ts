import { hash } from 'node:crypto'
import { Agent } from 'undici'
import type { Env } from '../../cluster/env.ts'
import type { Webhook } from './spec.ts'
import type { Entry, RolloutState } from './state.ts'

/** How often a webhook that has not agreed is asked again, and how long the first retry of one waits. */
export const webhookMs = { askAgain: 5_000, retry: 1_000 }

/** Notifications that wait to be sent; more are dropped, and counted. */
export const notificationsMax = 100

/** Bytes of an answer that are read: only its status counts. */
const answerBytesMax = 64 * 1024

/** What a webhook is sent: Flagger's payload. */
export interface HookPayload {
  name: string
  namespace: string
  phase: string
  /** Tells one attempt of one revision from all others. */
  checksum: string
  metadata: Record<string, string>
  /** What chats like Slack show. */
  text?: string
}

/**
 * Asks webhooks and tells them, beside the controller's loop: that only looks at answers that are there. What is asked
 * is asked again until it agrees; what is told is told once, with its retries.
 */
export class Webhooks {
  readonly #env: Env
  readonly #agent = new Agent()
  readonly #ended = new AbortController()
  /** By who asks and what about. */
  readonly #questions = new Map<string, { answer: boolean | null; askedAt: number; isUnderWay: boolean }>()
  readonly #notifications: (() => Promise<unknown>)[] = []
  #isSending = false

  constructor(env: Env) {
    this.#env = env
  }

  /** Whether all of these agree, as far as is known: null before all have answered. Asks them when it is time to. */
  ask(key: string, hooks: readonly Webhook[], state: RolloutState): boolean | null {
    const now = this.#env.clock.monotonic()
    const question = this.#questions.get(key) ?? { answer: null, askedAt: -Infinity, isUnderWay: false }
    this.#questions.set(key, question)
    if (question.answer === true || question.isUnderWay || now - question.askedAt < webhookMs.askAgain) {
      return question.answer
    }
    question.isUnderWay = true
    question.askedAt = now
    Promise.all(hooks.map((hook) => this.#send(hook, payloadOf(state, hook))))
      .then((answers) => (question.answer = answers.every(Boolean)))
      .finally(() => (question.isUnderWay = false))
      .catch((error: unknown) => this.#env.logger.error({ err: error }, 'webhook'))
    return question.answer
  }

  /** Forgets the questions that are not among these any more. */
  keep(keys: ReadonlySet<string>): void {
    for (const key of this.#questions.keys()) if (!keys.has(key)) this.#questions.delete(key)
  }

  /** Tells webhooks of a type what happened, one after the other. */
  tell(hooks: readonly Webhook[], state: RolloutState, entry: Entry): void {
    for (const hook of hooks) {
      if (this.#notifications.length >= notificationsMax) {
        this.#env.metrics.webhooks.inc({ type: hook.type, result: 'dropped' })
        continue
      }
      this.#notifications.push(() => this.#send(hook, payloadOf(state, hook, entry)))
    }
    void this.#sendAll()
  }

  /** What is under way ends as if it had not been answered. */
  stop(): void {
    this.#ended.abort()
    this.#notifications.length = 0
    void this.#agent.destroy()
  }

  async #sendAll(): Promise<void> {
    if (this.#isSending) return
    this.#isSending = true
    for (let send = this.#notifications.shift(); send; send = this.#notifications.shift()) await send()
    this.#isSending = false
  }

  /** True when it answered with 2xx, at once or in one of its retries. */
  async #send(hook: Webhook, payload: HookPayload): Promise<boolean> {
    const { clock, metrics, logger } = this.#env
    let why = ''
    for (let tried = 0; tried <= hook.retries && !this.#ended.signal.aborted; tried++) {
      if (tried > 0) await clock.sleep(webhookMs.retry * 2 ** Math.min(tried - 1, 5))
      const status = await this.#post(hook, payload).catch((error: Error) => error.message)
      if (typeof status === 'number' && status >= 200 && status < 300) {
        metrics.webhooks.inc({ type: hook.type, result: 'yes' })
        return true
      }
      why = String(status)
      // It has answered: asking at once again would only hear the same.
      if (typeof status === 'number' && status < 500) break
    }
    metrics.webhooks.inc({ type: hook.type, result: 'no' })
    logger.debug({ webhook: hook.name, type: hook.type, why }, 'webhook does not agree')
    return false
  }

  async #post(hook: Webhook, payload: HookPayload): Promise<number> {
    const { origin, pathname, search } = new URL(hook.url)
    const late = new AbortController()
    const timer = this.#env.clock.after(hook.timeoutMs, () =>
      late.abort(new Error(`no answer in ${hook.timeoutMs} ms`)),
    )
    try {
      const { statusCode, body } = await this.#agent.request({
        origin,
        path: pathname + search,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(payload),
        signal: AbortSignal.any([late.signal, this.#ended.signal]),
      })
      await body.dump({ limit: answerBytesMax })
      return statusCode
    } finally {
      timer.cancel()
    }
  }
}

function payloadOf(state: RolloutState, hook: Webhook, entry?: Entry): HookPayload {
  const { name, phase, revision, attempt, canary } = state
  const payload: HookPayload = {
    name,
    namespace: 'default',
    phase,
    checksum: hash('sha256', `${name}/${revision}.${attempt}/${canary}`).slice(0, 16),
    metadata: { ...hook.metadata },
  }
  if (entry === undefined) return payload
  Object.assign(payload.metadata, { eventType: entry.type, eventMessage: entry.text, timestamp: String(entry.at) })
  return { ...payload, text: `${name}: ${entry.text}` }
}
