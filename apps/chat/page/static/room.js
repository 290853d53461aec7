// @ts-check
import { Timeline } from './timeline.js'

/** @typedef {import('centrifuge').Centrifuge} Client */
/** @typedef {import('./timeline.js').Message} Message */

/**
 * @typedef {object} Draft A message of ours that the server has not confirmed.
 * @property {string} key Idempotency key: however often it is sent, it takes effect once.
 * @property {string} text
 * @property {number} time
 * @property {string | null} error Why it had no effect, once that is known.
 * @property {boolean} published Its publication was met before its reply.
 */

/** Messages asked for at once. */
const pageSize = 50
/** How often a call whose outcome is unknown is made before a person has to decide. */
const attemptsMax = 30
/** Waits between those attempts, in milliseconds: doubled from the first to the last. */
const retryDelayMinMs = 100
const retryDelayMaxMs = 2000
/** The SDK's own codes for a call that a timeout or a lost connection cut short, and the server's "unknown". */
const unknownOutcomes = new Set([1, 2, 3, 10, 11, 100])

/** @param {unknown} error */
function reasonOf(error) {
  const { code, message } = /** @type {{code?: number, message?: string}} */ (error)
  return code === undefined ? String(message) : `${message} (${code})`
}

/** What to show of a message; data that is no chat message is shown as it is. @param {unknown} data @returns {string} */
export function textOf(data) {
  const text = /** @type {{text?: unknown} | null} */ (data)?.text
  return typeof text === 'string' ? text : JSON.stringify(data)
}

/**
 * Calls until the outcome is known. The SDK makes a call wait for the connection, so that this does not spin.
 * @template T
 * @param {() => Promise<T>} call
 * @returns {Promise<T>}
 */
async function untilKnown(call) {
  let delayMs = retryDelayMinMs
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call()
    } catch (error) {
      const { code } = /** @type {{code?: number}} */ (error)
      if (code === undefined || !unknownOutcomes.has(code) || attempt === attemptsMax) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, delayMs))
    delayMs = Math.min(delayMs * 2, retryDelayMaxMs)
  }
}

/** One open room: its subscription, its messages and what we are still sending to it. */
export class Room {
  /** @type {Draft[]} */
  drafts = []
  timeline = new Timeline('')
  /** True once the room's first message is in the timeline. */
  complete = false
  loading = false
  /** Why messages could not be read, or the room not opened; null when all is well. @type {string | null} */
  problem = null
  /** Messages of others that came while nobody looked. */
  unread = 0
  #sending = false
  /** Counts how often the timeline was started. */
  #start = 0
  #client
  #subscription
  /** Every session this page has had: only one of them can publish a draft of ours. @type {Set<string>} */
  #sessions
  #changed

  /**
   * @param {Client} client
   * @param {string} name The channel.
   * @param {string} user Us.
   * @param {Set<string>} sessions
   * @param {(room: Room, arrived?: Message) => void} changed Called after each change; with the message when it came live from
   *   somebody else.
   */
  constructor(client, name, user, sessions, changed) {
    this.name = name
    this.user = user
    this.#client = client
    this.#sessions = sessions
    this.#changed = changed
    this.#subscription = client.newSubscription(name)
    this.#subscription.on('subscribed', (context) => {
      const epoch = context.streamPosition?.epoch ?? this.timeline.epoch
      // Missed more than the server could replay: what we have may lack messages in its middle.
      if ((context.wasRecovering && !context.recovered) || epoch !== this.timeline.epoch) this.#startOver(epoch)
      this.problem = null
      // Also after a replay, because replayed publications carry no time.
      void this.#read()
    })
    this.#subscription.on('publication', ({ data, offset, info, tags }) => {
      if (offset !== undefined)
        this.#publication({ offset, data, user: info?.user ?? '', ...(tags && { tags }) }, info?.client)
    })
    this.#subscription.on('unsubscribed', ({ code, reason }) => this.#fail(`${reason} (${code})`))
    this.#subscription.on('error', ({ error }) => {
      if (!unknownOutcomes.has(error.code)) this.#fail(reasonOf(error))
    })
    this.#subscription.subscribe()
  }

  /** True when closing it would lose nothing. */
  get idle() {
    return this.drafts.length === 0
  }

  close() {
    this.#subscription.removeAllListeners()
    this.#subscription.unsubscribe()
    this.#client.removeSubscription(this.#subscription)
  }

  /** @param {string} text */
  send(text) {
    this.drafts.push({ key: crypto.randomUUID(), text, time: Date.now(), error: null, published: false })
    this.#changed(this)
    void this.#sendAll()
  }

  /** Sends a refused draft again, after those that wait. @param {Draft} draft */
  tryAgain(draft) {
    draft.error = null
    this.drafts = [...this.drafts.filter((other) => other !== draft), draft]
    this.#changed(this)
    void this.#sendAll()
  }

  /** Reads the page before the oldest message at hand, unless there is none or one is on its way. */
  async loadOlder() {
    const [oldest] = this.timeline.messages
    if (oldest === undefined || this.complete || this.loading || this.problem !== null) return
    await this.#read(oldest.offset)
  }

  /** Reads again after a problem. */
  async reload() {
    this.problem = null
    this.#subscription.subscribe()
    await this.#read(this.timeline.messages[0]?.offset)
  }

  /** @param {number} [before] Without it, the newest page. */
  async #read(before) {
    const start = this.#start
    this.loading = true
    this.#changed(this)
    try {
      const { messages } = await untilKnown(() =>
        this.#call('chat.messages', { channel: this.name, limit: pageSize, ...(before !== undefined && { before }) }),
      )
      // Asked before the timeline was started over: it would leave a hole up to the messages that are here now.
      if (start !== this.#start) return
      this.timeline.merge(messages)
      // A page may be cut short by its size in bytes, so only an empty one, or offset 1, is the beginning.
      if (messages.length === 0 || messages[0].offset === 1) this.complete = true
    } catch (error) {
      this.problem = reasonOf(error)
    } finally {
      if (start === this.#start) this.loading = false
      this.#changed(this)
    }
  }

  /** One at a time, so that what a person writes keeps its order whatever has to be sent again. */
  async #sendAll() {
    if (this.#sending) return
    this.#sending = true
    for (let draft = this.#next; draft !== undefined; draft = this.#next) await this.#send(draft)
    this.#sending = false
  }

  get #next() {
    return this.drafts.find((draft) => draft.error === null)
  }

  /** @param {Draft} draft */
  async #send(draft) {
    const { key, text } = draft
    try {
      const { offset, epoch, tags } = await untilKnown(() =>
        this.#call('chat.send', { channel: this.name, data: { text }, key }),
      )
      this.drafts = this.drafts.filter((other) => other !== draft)
      // Of another stream when the channel was started anew: its page brings the message.
      if (epoch === this.timeline.epoch) {
        this.timeline.merge([{ offset, user: this.user, data: { text }, ...(tags && { tags }) }])
      }
    } catch (error) {
      draft.error = reasonOf(error)
      draft.published = false
    }
    this.#changed(this)
  }

  /**
   * @param {Message} message
   * @param {string} [session] Who published it.
   */
  #publication(message, session) {
    const isNew = !this.timeline.has(message.offset)
    const ours = session !== undefined && this.#sessions.has(session)
    const sending = this.#next
    // A publication does not carry its key. Only one draft is under way at a time, so a new one of ours with its
    // text is it, and showing both until the reply comes would show it twice.
    if (isNew && ours && sending?.text === textOf(message.data)) sending.published = true
    this.timeline.merge([message])
    this.#changed(this, isNew && !ours ? message : undefined)
  }

  /**
   * @param {string} method
   * @param {Record<string, unknown>} data
   */
  async #call(method, data) {
    await this.#subscription.ready()
    return (await this.#client.rpc(method, data)).data
  }

  /** @param {string} epoch */
  #startOver(epoch) {
    this.#start += 1
    this.timeline = new Timeline(epoch)
    this.complete = false
  }

  /** @param {string} problem */
  #fail(problem) {
    this.problem = problem
    this.#changed(this)
  }
}
