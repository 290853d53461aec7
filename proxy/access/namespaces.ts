import { splitChannel } from '../../config/channel-name.ts'
import type { Config } from '../../config/config.ts'
import { compilePattern } from '../../config/pattern.ts'
import type { Pattern } from '../../config/pattern.ts'
import { errors } from '../../protocol/client/codes.ts'
import type { ClientError } from '../../protocol/client/codes.ts'
import type { Session } from '../sessions/session.ts'

type ChannelOptions = Config['channel']['without_namespace']

/** What clients may do in a channel; names follow Centrifugo's channel options. */
export type Permission = 'subscribe' | 'publish' | 'history'

interface Namespace {
  options: ChannelOptions
  /** What the rest of a channel's name must look like, or null. */
  pattern: Pattern | null
}

/** U+0000 to U+001F, and U+007F to U+009F. */
const controlCharacter = /\p{Cc}/u

/** Options of channels by their namespace, and what their names alone say about who may use them. */
export class Namespaces {
  readonly #without: Namespace
  readonly #byName: Map<string, Namespace>
  readonly #insecure: boolean
  readonly #names: Omit<Config['channel'], 'without_namespace' | 'namespaces'>

  constructor({ channel, client }: Pick<Config, 'channel' | 'client'>) {
    this.#without = namespaceOf(channel.without_namespace)
    this.#byName = new Map(channel.namespaces.map((namespace) => [namespace.name, namespaceOf(namespace)]))
    this.#insecure = client.insecure
    this.#names = channel
  }

  /** Undefined when the namespace does not exist. The private prefix is no part of its name; an empty one is none. */
  optionsOf(channel: string): ChannelOptions | undefined {
    return this.#find(channel)?.options
  }

  /** Why nobody may use a channel of this name, or null. */
  invalid(channel: string): ClientError | null {
    if (!this.isName(channel)) return errors.badRequest
    const namespace = this.#find(channel)
    if (!namespace) return errors.unknownChannel
    return namespace.pattern?.test(splitChannel(this.#names, channel).rest) === false ? errors.badRequest : null
  }

  /**
   * Whether a channel can have this name. Half a surrogate pair has no UTF-8: two such names would be one where bytes are
   * kept. A control character names nothing that anybody can see, and takes six bytes wherever names are JSON.
   */
  isName(channel: string): boolean {
    return channel.length <= this.#names.max_length && channel.isWellFormed() && !controlCharacter.test(channel)
  }

  /** Why the session may not, or null when it may. A good token for the subscription is as good as any permission. */
  refusal(session: Session, channel: string, permission: Permission, hasToken = false): ClientError | null {
    const invalid = this.invalid(channel)
    if (invalid) return invalid
    // Only streams exist here, whoever asks and whatever they show.
    const isStream = ['', 'stream'].includes(this.optionsOf(channel)!.subscription_type)
    if (permission === 'subscribe' && !isStream) return errors.permissionDenied
    if (this.#insecure || hasToken) return null
    if (permission === 'subscribe' && this.#needsToken(channel)) return errors.permissionDenied
    if (this.#isAllowed(session, session.channels.has(channel), channel, permission)) return null
    // Nobody took the permission away: the subscription that it comes with is being made anew.
    const isWanted = session.wanted.has(channel) && this.#isAllowed(session, true, channel, permission)
    return isWanted ? errors.tooManyRequests : errors.permissionDenied
  }

  #needsToken(channel: string): boolean {
    const { private_prefix: prefix } = this.#names
    return prefix !== '' && channel.startsWith(prefix)
  }

  #isAllowed(session: Session, subscriber: boolean, channel: string, permission: Permission): boolean {
    const options = this.optionsOf(channel)!
    const named = options.allow_user_limited_channels ? this.#usersOf(channel) : null
    if (named === null) return isAllowed(session, subscriber, permission, options)
    const isNamed = session.user !== '' && named.includes(session.user)
    if (permission === 'subscribe') return isNamed
    // Who subscribed was named, or had a token.
    return (isNamed || subscriber) && isAllowed(session, subscriber, permission, options)
  }

  /** The users that a name limits its channel to, or null when it names none. */
  #usersOf(channel: string): string[] | null {
    const { user_boundary: boundary, user_separator: separator } = this.#names
    if (boundary === '' || !channel.includes(boundary)) return null
    const users = channel.split(boundary).at(-1)!
    return separator === '' ? [users] : users.split(separator)
  }

  #find(channel: string): Namespace | undefined {
    const { namespace } = splitChannel(this.#names, channel)
    return namespace === '' ? this.#without : this.#byName.get(namespace)
  }
}

/** Only then is anything shown of what was, and can anything be recovered. */
export function isHistoryOn(options: ChannelOptions): boolean {
  return options.history_size > 0 && options.history_ttl > 0
}

function namespaceOf(options: ChannelOptions): Namespace {
  return { options, pattern: options.channel_regex === '' ? null : compilePattern(options.channel_regex) }
}

function isAllowed(session: Session, subscriber: boolean, permission: Permission, options: ChannelOptions): boolean {
  const anonymous = session.user === ''
  switch (permission) {
    case 'subscribe':
      return options.allow_subscribe_for_client && (!anonymous || options.allow_subscribe_for_anonymous)
    case 'publish':
      return (
        (options.allow_publish_for_client || (options.allow_publish_for_subscriber && subscriber)) &&
        (!anonymous || options.allow_publish_for_anonymous)
      )
    case 'history':
      return (
        (options.allow_history_for_client || (options.allow_history_for_subscriber && subscriber)) &&
        (!anonymous || options.allow_history_for_anonymous)
      )
  }
}
