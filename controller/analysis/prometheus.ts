import { request } from 'undici'
import type { Dispatcher } from 'undici'
import type { Env } from '../../cluster/env.ts'
import type { Result } from './condition.ts'
import type { PrometheusProvider } from './template.ts'

/** What one question may cost: bytes of the answer, tries, and the pause between them. */
export const prometheusBounds = { answerBytes: 1_048_576, tries: 3, retryMs: 250, timeoutMs: 30_000 }

/** Characters that are passed on of what a server says of an error. */
const saidLengthMax = 300

/** What Prometheus said, or why it could not be asked, in one line; `isWrong` when it is the query that is to blame. */
export type PrometheusAnswer = { result: Result } | { problem: string; isWrong: boolean }

/** An answer with its status; a status that is not Prometheus's own may pass. */
interface Answered {
  status: number
  text: string
}

/**
 * Asks a Prometheus for the present value of a query (`/api/v1/query` of its HTTP API). What may pass is tried again
 * within the same time. Never rejects.
 */
export async function askPrometheus(
  env: Pick<Env, 'clock' | 'metrics'>,
  { address, query, timeout }: PrometheusProvider,
  dispatcher?: Dispatcher,
): Promise<PrometheusAnswer> {
  const url = urlOf(address)
  if (url === null) return away(`${address} is no address of a Prometheus`)
  const timeoutMs = timeout === undefined ? prometheusBounds.timeoutMs : timeout * 1_000
  const end = new AbortController()
  const timer = env.clock.after(timeoutMs, () => end.abort(new Error(`no answer within ${timeoutMs} ms`)))
  try {
    return await untilAnswered(env, { url, query, signal: end.signal, dispatcher })
  } finally {
    timer.cancel()
  }
}

interface Question {
  url: URL
  query: string
  signal: AbortSignal
  dispatcher: Dispatcher | undefined
}

async function untilAnswered({ clock }: Pick<Env, 'clock'>, question: Question): Promise<PrometheusAnswer> {
  let problem = ''
  for (let tries = 0; tries < prometheusBounds.tries && !question.signal.aborted; tries++) {
    if (tries > 0) await clock.sleep(prometheusBounds.retryMs)
    try {
      const { status, text } = await ask(question)
      if (status < 500 && status !== 429) return readAnswer(status, text)
      problem = `Prometheus answers with ${status}`
    } catch (error) {
      problem = messageOf(error)
    }
  }
  const { reason } = question.signal
  return away(reason instanceof Error ? reason.message : problem)
}

async function ask({ url, query, signal, dispatcher }: Question): Promise<Answered> {
  const { statusCode, body } = await request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
    body: new URLSearchParams({ query }).toString(),
    signal,
    ...(dispatcher && { dispatcher }),
  })
  let text = ''
  let bytes = 0
  const decoder = new TextDecoder()
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length
    // Leaving the loop ends the connection.
    if (bytes > prometheusBounds.answerBytes)
      throw new Error(`an answer of more than ${prometheusBounds.answerBytes} bytes`)
    text += decoder.decode(chunk, { stream: true })
  }
  return { status: statusCode, text }
}

/** What an answer of the HTTP API says. */
export function readAnswer(status: number, text: string): PrometheusAnswer {
  const answer = parsed(text)
  if (answer?.['status'] === 'error')
    return {
      problem: `Prometheus refuses the query: ${oneLine(String(answer['error']))}`,
      isWrong: status === 400 && answer['errorType'] === 'bad_data',
    }
  if (status !== 200 || answer?.['status'] !== 'success') return away(`Prometheus answers with ${status}`)
  const { resultType, result } = (answer['data'] ?? {}) as Record<string, unknown>
  const values = resultType === 'scalar' ? [sampleOf(result)] : resultType === 'vector' ? vectorOf(result) : null
  if (values === null) {
    const isWrong = resultType === 'matrix' || resultType === 'string'
    return { problem: `a query must give a vector or a scalar, and not a ${oneLine(String(resultType))}`, isWrong }
  }
  if (values.includes(null)) return away('Prometheus answers with what is no number')
  const numbers = values as number[]
  return { result: resultType === 'scalar' ? numbers[0]! : numbers }
}

function away(problem: string): PrometheusAnswer {
  return { problem, isWrong: false }
}

/** Of what a server says, no more than a person wants to read. */
function oneLine(text: string): string {
  return text.slice(0, saidLengthMax).replaceAll(/[\s\p{Cc}]+/gu, ' ')
}

function vectorOf(result: unknown): (number | null)[] | null {
  if (!Array.isArray(result)) return null
  return result.map((each) => sampleOf((each as Record<string, unknown> | null)?.['value']))
}

/** The number of `[time, "value"]`. */
function sampleOf(sample: unknown): number | null {
  const value: unknown = Array.isArray(sample) ? sample[1] : undefined
  if (typeof value !== 'string') return null
  if (value === 'NaN') return Number.NaN
  if (/^[+-]?Inf$/.test(value)) return value.startsWith('-') ? -Infinity : Infinity
  const number = Number(value)
  return value.trim() === '' || Number.isNaN(number) ? null : number
}

function urlOf(address: string): URL | null {
  const url = URL.parse('api/v1/query', address.endsWith('/') ? address : `${address}/`)
  return url !== null && (url.protocol === 'http:' || url.protocol === 'https:') ? url : null
}

function parsed(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' ? (value as Record<string, unknown> | null) : null
  } catch {
    return null
  }
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // Of several addresses that refuse, Node tells only the code.
  return error.message || ('code' in error && typeof error.code === 'string' ? error.code : error.name)
}
