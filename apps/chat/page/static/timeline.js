// @ts-check

/**
 * @typedef {object} Message One message of a room as the server knows it.
 * @property {number} offset
 * @property {string} user
 * @property {unknown} data
 * @property {number} [time] Milliseconds since 1970. A live publication comes without.
 * @property {{worker?: string, version?: string}} [tags] Who handled it.
 */

/**
 * The messages of one room by offset. A message arrives up to three times, as the reply to its sender, as a live
 * publication and in a page of history, in any order; it is here once.
 */
export class Timeline {
  /** @type {Map<number, Message & {time: number}>} */
  #messages = new Map()

  /** @param {string} epoch Identity of the stream that the offsets belong to. */
  constructor(epoch) {
    this.epoch = epoch
  }

  /** Newer knowledge completes what is known. @param {Message[]} messages */
  merge(messages) {
    for (const message of messages) {
      const known = this.#messages.get(message.offset)
      const time = message.time ?? known?.time ?? Date.now()
      this.#messages.set(message.offset, { ...known, ...message, time })
    }
  }

  /** @param {number} offset */
  has(offset) {
    return this.#messages.has(offset)
  }

  /** All messages, oldest first. */
  get messages() {
    return [...this.#messages.values()].sort((one, other) => one.offset - other.offset)
  }

  /** The newest message that says who handled it. */
  get lastHandled() {
    return this.messages.findLast((message) => message.tags?.worker !== undefined)
  }
}
