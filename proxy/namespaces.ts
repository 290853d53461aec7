import type { Config } from '../config/config.ts'
import { errors } from '../protocol/codes.ts'
import type { ClientError } from '../protocol/codes.ts'
import type { Session } from './session.ts'

type ChannelOptions = Config['channel']['without_namespace']

/** What clients may do in a channel; names follow Centrifugo's channel options. */
export type Permission = 'subscribe' | 'publish' | 'history'

const namespaceBoundary = ':'
/** Channels of this prefix need a subscription token, which this proxy does not take yet. */
const privatePrefix = '$'

/** U+0000 to U+001F, and U+007F to U+009F. */
const controlCharacter = /\p{Cc}/u

/** Options of channels by their namespace. */
export class Namespaces {
  readonly #without: ChannelOptions
  readonly #byName: Map<string, ChannelOptions>
  readonly #insecure: boolean
  readonly #maxLength: number

  constructor(config: Config) {
    this.#without = config.channel.without_namespace
    this.#byName = new Map(config.channel.namespaces.map((namespace) => [namespace.name, namespace]))
    this.#insecure = config.client.insecure
    this.#maxLength = config.channel.max_length
  }

  /** Undefined when the namespace does not exist. The private prefix is no part of its name; an empty one is none. */
  optionsOf(channel: string): ChannelOptions | undefined {
    const start = channel.startsWith(privatePrefix) ? privatePrefix.length : 0
    const at = channel.indexOf(namespaceBoundary)
    return at <= start ? this.#without : this.#byName.get(channel.slice(start, at))
  }

  /**
   * Whether a channel can have this name. Half a surrogate pair has no UTF-8: two such names would be one where bytes are
   * kept. A control character names nothing that anybody can see, and takes six bytes wherever names are JSON.
   */
  isName(channel: string): boolean {
    return channel.length <= this.#maxLength && channel.isWellFormed() && !controlCharacter.test(channel)
  }

  /** Why the session may not, or null when it may. */
  refusal(session: Session, channel: string, permission: Permission): ClientError | null {
    if (!this.isName(channel)) return errors.badRequest
    const options = this.optionsOf(channel)
    if (!options) return errors.unknownChannel
    if (this.#insecure) return null
    if (permission === 'subscribe' && channel.startsWith(privatePrefix)) return errors.permissionDenied
    if (isAllowed(session, session.channels.has(channel), permission, options)) return null
    // Nobody took the permission away: the subscription that it comes with is being made anew.
    const isWanted = session.wanted.has(channel) && isAllowed(session, true, permission, options)
    return isWanted ? errors.tooManyRequests : errors.permissionDenied
  }
}

export function isHistoryOn(options: ChannelOptions): boolean {
  return options.history_size > 0 && options.history_ttl > 0
}

function isAllowed(session: Session, subscriber: boolean, permission: Permission, options: ChannelOptions): boolean {
  const anonymous = session.user === ''
  switch (permission) {
    case 'subscribe':
      return options.allow_subscribe_for_client && (!anonymous || options.allow_subscribe_for_anonymous)
    case 'publish':
      return (
        (options.allow_publish_for_subscriber && subscriber) ||
        (options.allow_publish_for_client && (!anonymous || options.allow_publish_for_anonymous))
      )
    case 'history':
      return (
        (options.allow_history_for_subscriber && subscriber) ||
        (options.allow_history_for_client && (!anonymous || options.allow_history_for_anonymous))
      )
  }
}
