import { readFileSync } from 'node:fs'
import type { KafkaConfig, SASLOptions } from 'kafkajs'
import type { Replication } from './topics.ts'

export interface KafkaAddress extends Replication {
  /** `host:port` each. */
  brokers: string[]
  /** Put before every topic's name, with a dot; '' for none. */
  prefix: string
  client: Pick<KafkaConfig, 'brokers' | 'ssl' | 'sasl'>
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
  const match = /^kafka:\/\/(?:([^@/?]*)@)?([^@/?]*)(?:\/([^?]*))?(?:\?(.*))?$/.exec(url)
  if (!match) throw new Error('it is not kafka://host:port')
  const [, user, hosts = '', prefix = '', query = ''] = match
  const brokers = hosts.split(',').map(brokerOf)
  if (prefix !== '' && !/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$/.test(prefix))
    throw new Error('a prefix has up to 100 letters, digits, ".", "_" and "-"')
  const given = optionsOf(query)
  const isTls = flagOf(given.get('tls')) || given.has('ca')
  const ssl = isTls ? { ...(given.has('ca') && { ca: [readFileSync(given.get('ca')!)] }) } : false
  const sasl = saslOf(user, given.get('sasl'))
  return {
    brokers,
    prefix,
    replication: countOf('replication', given.get('replication')),
    minInsync: countOf('min_insync', given.get('min_insync')),
    client: { brokers, ssl, ...(sasl && { sasl }) },
  }
}

function brokerOf(text: string): string {
  const [, host = '', port = String(defaultPort)] = /^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(text) ?? []
  if (host === '' || Number(port) > 65_535) throw new Error('it names no broker, or one without a proper port')
  return `${host}:${port}`
}

function optionsOf(query: string): Map<Option, string> {
  const given = new Map<Option, string>()
  for (const [name, value] of new URLSearchParams(query)) {
    if (!(options as readonly string[]).includes(name))
      throw new Error(`unknown option "${name}"; there are ${options.join(', ')}`)
    given.set(name as Option, value)
  }
  return given
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
  const [username = '', password = ''] = user.split(/:(.*)/s).map(decodeURIComponent)
  return { mechanism: known, username, password }
}
