import { readFileSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import type { KafkaConfig, SASLOptions } from 'kafkajs'
import { withoutColons } from './socket-factory.ts'
import type { Replication } from './topics.ts'

/** A URL, taken apart and checked. */
export interface KafkaAddress extends Replication {
  /** `host:port` each, an IPv6 address as `withoutColons` writes it. */
  brokers: string[]
  /** Put before every topic's name, with a dot; '' for none. */
  prefix: string
  client: { brokers: string[]; ssl: NonNullable<KafkaConfig['ssl']>; sasl?: SASLOptions }
}

const mechanisms = ['plain', 'scram-sha-256', 'scram-sha-512'] as const
const options = ['tls', 'ca', 'sasl', 'replication', 'min_insync'] as const
type Option = (typeof options)[number]

const defaultPort = 9092

/**
 * Takes `kafka://[user:password@]host[:port][,…][/prefix][?option=value&…]` apart. Throws an error whose one line says
 * what is wrong and repeats no password.
 */
export function parseKafkaUrl(url: string): KafkaAddress {
  const match = /^kafka:\/\/(?:([^@/?]*)@)?([^@/?]*)(?:\/([^@?]*))?(?:\?([^@]*))?$/s.exec(url)
  // A password with such a character would be taken for something else, and repeated.
  if (!match) throw new Error('it is not kafka://host:port, or "@", "/" or "?" in a value is not percent-encoded')
  const [, user, hosts = '', prefix = '', query = ''] = match
  const brokers = hosts.split(',').map(brokerOf)
  if (prefix !== '' && !/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$/.test(prefix))
    throw new Error('a prefix has up to 100 letters, digits, ".", "_" and "-"')
  const given = optionsOf(query)
  const sasl = saslOf(user, given.get('sasl'))
  const replication = countOf('replication', given.get('replication'))
  const minInsync = countOf('min_insync', given.get('min_insync'))
  if (replication !== undefined && minInsync !== undefined && minInsync > replication)
    throw new Error(`option min_insync (${minInsync}) is more than replication (${replication})`)
  const ssl = sslOf(given)
  return { brokers, prefix, replication, minInsync, client: { brokers, ssl, ...(sasl && { sasl }) } }
}

function brokerOf(text: string): string {
  const [, host = '', port = String(defaultPort)] =
    /^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?$/.exec(text) ?? []
  const isHost = host.startsWith('[') ? isIPv6(host.slice(1, -1)) : host !== ''
  if (!isHost || Number(port) < 1 || Number(port) > 65_535)
    throw new Error('it names no broker, or one that is not host:port')
  return `${withoutColons(host)}:${port}`
}

function optionsOf(query: string): Map<Option, string> {
  const given = new Map<Option, string>()
  for (const [name, value] of new URLSearchParams(query)) {
    if (!(options as readonly string[]).includes(name))
      throw new Error(`unknown option "${name}"; there are ${options.join(', ')}`)
    if (given.has(name as Option)) throw new Error(`option ${name} is there twice`)
    if (value === '') throw new Error(`option ${name} has no value`)
    given.set(name as Option, value)
  }
  return given
}

function sslOf(given: Map<Option, string>): NonNullable<KafkaConfig['ssl']> {
  const file = given.get('ca')
  const isTls = flagOf(given.get('tls'))
  if (file === undefined) return isTls
  if (!isTls) throw new Error('option ca needs tls=true')
  try {
    return { ca: [readFileSync(file)] }
  } catch (error) {
    throw new Error(`option ca: ${file} cannot be read`, { cause: error })
  }
}

function flagOf(text: string | undefined): boolean {
  if (text !== undefined && text !== 'true' && text !== 'false') throw new Error('option tls is true or false')
  return text === 'true'
}

function countOf(name: Option, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^[1-9]\d?$/.test(text)) throw new Error(`option ${name} is a number from 1 to 99`)
  return Number(text)
}

function saslOf(user: string | undefined, mechanism: string | undefined): SASLOptions | undefined {
  if (user === undefined && mechanism === undefined) return undefined
  const known = mechanisms.find((each) => each === mechanism)
  if (user === undefined || known === undefined)
    throw new Error(`a user needs option sasl, and the other way round: one of ${mechanisms.join(', ')}`)
  const [username, password] = user.split(/:(.*)/s).map(decoded)
  if (!username || !password) throw new Error('before the host stands user:password, neither of them empty')
  return { mechanism: known, username, password }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // Without the cause, which repeats the text.
    throw new Error('user and password are percent-encoded, and one of them is not')
  }
}
