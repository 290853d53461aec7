import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import { authority } from './addresses.ts'
import { alivePath } from './serve-alive.ts'

/** A wire to another process: it is known at once when that ends. */
export interface Wire {
  /** From here on nothing is told. */
  close(): void
}

/**
 * Holds a connection to the process that listens there. `gone` is called once, when a process that was reached has ended
 * for certain: its connection closed, and nobody listens there any more, or somebody else. A network that is cut tells
 * nothing, nor does an address that was never reached. `turned` is called whenever its connection comes to stand, or is lost.
 */
export type OpenWire = (
  address: { host: string; port: number },
  gone: () => void,
  turned?: (isUp: boolean) => void,
) => Wire

/** Time that a process has to answer. */
const answerMs = 2_000
/** Pauses before a process is tried again whose connection closed: that alone says nothing of the process. */
const pausesMs = [0, 20, 50, 100]
/** And from then on. */
const againMs = 1_000

/** A wire over HTTP to an internal listener. */
export const openWire: OpenWire = ({ host, port }, gone, turned = () => {}) => {
  const closing = new AbortController()
  void hold(new URL(`http://${authority(host, port)}${alivePath}`), closing.signal, turned).then((isGone) => {
    if (isGone && !closing.signal.aborted) gone()
  })
  return { close: () => closing.abort() }
}

/** Resolves with true when the process has ended for certain, and with false when the wire is closed. */
async function hold(url: URL, signal: AbortSignal, turned: (isUp: boolean) => void): Promise<boolean> {
  let known: string | null = null
  let tries = 0
  while (!signal.aborted) {
    let isUp = false
    const id = await untilClosed(url, signal, () => {
      tries = 0
      isUp = true
      turned(true)
    })
    if (isUp && !signal.aborted) turned(false)
    if (known !== null && (id === 'refused' || (id !== null && id !== known))) return true
    if (id !== 'refused') known ??= id
    await sleep(pausesMs[tries++] ?? againMs, undefined, { signal }).catch(() => {})
  }
  return false
}

/** Resolves when the connection is over: with the id of who was there, `refused` where nobody is, null when nothing was said. */
async function untilClosed(url: URL, signal: AbortSignal, opened: () => void): Promise<string | null> {
  let id: string | null = null
  try {
    const { statusCode, body } = await request(url, { signal, headersTimeout: answerMs, bodyTimeout: 0, reset: true })
    for await (const chunk of body) {
      if (statusCode !== 200) continue
      id = String(chunk)
      opened()
    }
    return id
  } catch (error) {
    return (error as { code?: unknown }).code === 'ECONNREFUSED' ? 'refused' : id
  }
}
