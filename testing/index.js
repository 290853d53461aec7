// Plain JavaScript, as Node strips no types below node_modules; index.d.ts has the types and says what each thing does.
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** Between two looks at who follows a change. */
const lookMs = 20

export class HoldfastFaultError extends Error {
  constructor(code, message, options) {
    super(message, options)
    this.name = 'HoldfastFaultError'
    this.code = code
  }
}

export class Faults {
  #url
  #token
  #timeoutMs

  constructor({ url, token, dataDir, timeoutMs = 10_000 } = {}) {
    const { HOLDFAST_CONTROLLER_URL, HOLDFAST_DATA_DIR } = process.env
    this.#url = (url ?? HOLDFAST_CONTROLLER_URL ?? 'http://127.0.0.1:8080').replace(/\/$/, '')
    this.#token = token ?? tokenIn(dataDir ?? HOLDFAST_DATA_DIR ?? '.holdfast')
    this.#timeoutMs = timeoutMs
  }

  delay({ fixedDelay, percentage = 100, ...options }) {
    return this.#set({ ...options, delay: { percentage: { value: percentage }, fixedDelay } })
  }

  abort({ code, wsCloseCode, percentage = 100, ...options }) {
    const codes = { ...(code !== undefined && { code }), ...(wsCloseCode !== undefined && { wsCloseCode }) }
    return this.#set({ ...options, abort: { percentage: { value: percentage }, ...codes } })
  }

  kill({ percentage = 100, ...options }) {
    return this.#set({ ...options, kill: { percentage: { value: percentage } } })
  }

  async clear() {
    const { revision } = await this.#request('DELETE', '')
    await this.#followed(revision)
  }

  async #set({ name = `test-${randomUUID()}`, expiresAfter = '5m', ...rule }) {
    const { revision } = await this.#request('PUT', `/${name}`, { ...rule, expiresAfter })
    let isCleared = false
    const clear = async () => {
      if (isCleared) return
      isCleared = true
      await this.#cleared(name)
    }
    try {
      await this.#followed(revision)
    } catch (error) {
      await clear()
      throw error
    }
    return { name, clear, [Symbol.asyncDispose]: clear }
  }

  async #cleared(name) {
    try {
      const { revision } = await this.#request('DELETE', `/${name}`)
      await this.#followed(revision)
    } catch (error) {
      // It may have ended by itself.
      if (error.code !== 'unknown_fault') throw error
    }
  }

  /** Resolves when every process follows this revision, or a later one. */
  async #followed(revision) {
    const until = performance.now() + this.#timeoutMs
    for (;;) {
      const { processes } = await this.#request('GET', '')
      const behind = processes.filter((each) => (each.revision ?? -1) < revision)
      const rejecting = processes.find((each) => each.revision >= revision && each.rejected !== null)
      if (rejecting)
        throw new HoldfastFaultError('rejected', `${rejecting.role} ${rejecting.id}: ${rejecting.rejected}`)
      if (behind.length === 0) return
      if (performance.now() > until) {
        const who = behind.map(({ role, id }) => `${role} ${id}`).join(', ')
        throw new HoldfastFaultError('not_acknowledged', `no word after ${this.#timeoutMs} ms from ${who}`)
      }
      await sleep(lookMs)
    }
  }

  /** Until it is answered: a controller may be on its way up, or another one about to lead. */
  async #request(method, path, body) {
    const until = performance.now() + this.#timeoutMs
    for (;;) {
      const { status, answer } = await this.#once(method, path, body)
      if (status >= 200 && status < 300) return answer
      const isPassing = status === 0 || status === 503 || answer.code === 'changed_meanwhile'
      if (!isPassing || performance.now() > until) throw new HoldfastFaultError(answer.code, answer.message)
      await sleep(lookMs)
    }
  }

  async #once(method, path, body) {
    const headers = {
      authorization: `Bearer ${this.#token}`,
      'holdfast-caller': 'a test',
      ...(body && { 'content-type': 'application/json' }),
    }
    try {
      const signal = AbortSignal.timeout(this.#timeoutMs)
      const init = { method, headers, signal, ...(body && { body: JSON.stringify(body) }) }
      const response = await fetch(`${this.#url}/api/v1/faults${path}`, init)
      return { status: response.status, answer: await response.json() }
    } catch (cause) {
      const message = `no controller answers at ${this.#url}: ${cause.cause?.message ?? cause.message}`
      return { status: 0, answer: { code: 'unreachable', message } }
    }
  }
}

/** Empty where there is none: the controller says then that it needs one. */
function tokenIn(dataDir) {
  try {
    return readFileSync(join(dataDir, 'controller.token'), 'utf8').trim()
  } catch {
    return ''
  }
}
