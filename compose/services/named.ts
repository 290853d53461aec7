import { parseKafkaUrl } from '../../log/kafka/url.ts'
import { askKafka, askMysql } from './answers.ts'
import { ServiceError, reasonOf } from './errors.ts'
import type { Say } from './programs.ts'

/** URLs that the environment names, each undefined where it names none. */
export interface NamedServices {
  log: string | undefined
  store: string | undefined
}

/** The services that HOLDFAST_LOG and HOLDFAST_STORE name; `embedded:` names none. Rejects when one does not answer. */
export async function namedServices(env: Record<string, string | undefined>, say: Say): Promise<NamedServices> {
  const log = named(env['HOLDFAST_LOG'], 'kafka:')
  const store = named(env['HOLDFAST_STORE'], 'mysql:')
  if (log !== undefined) await mustAnswer('HOLDFAST_LOG', () => askKafkaUrl(log), say)
  if (store !== undefined) await mustAnswer('HOLDFAST_STORE', () => askMysql(store), say)
  return { log, store }
}

function named(url: string | undefined, scheme: string): string | undefined {
  return url?.startsWith(scheme) ? url : undefined
}

async function mustAnswer(variable: string, ask: () => Promise<void>, say: Say): Promise<void> {
  try {
    await ask()
  } catch (error) {
    throw new ServiceError(`${variable} names a service that does not answer: ${reasonOf(error)}`, { cause: error })
  }
  say(`${variable} names a service that answers`)
}

/** Asks the brokers of a `kafka:` URL; one that answers is enough. */
async function askKafkaUrl(url: string): Promise<void> {
  const { brokers, client } = parseKafkaUrl(url)
  const outcomes = await Promise.allSettled(brokers.map((broker) => askKafka(broker, client)))
  const [failure] = outcomes.filter((outcome) => outcome.status === 'rejected')
  if (failure !== undefined && outcomes.every(({ status }) => status === 'rejected')) throw failure.reason
}
