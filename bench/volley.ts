import { setTimeout as sleep } from 'node:timers/promises'
import type { Crowd } from './crowd.ts'

/** A load on one room. */
export interface Volley {
  /** Publications per second; null for as many as go through. */
  perSecond: number | null
  seconds: number
}

export interface Hits {
  published: number
  deliveries: number
  /** From the first publish to the last delivery. */
  elapsedMs: number
  /** Publish to delivery, at the sampled subscribers. */
  delaysMs: number[]
  lost: number
  disconnected: number
  /** Why the first was. */
  why: string
}

/** Subscribers whose deliveries are timed, and who publish; those of the others are counted. */
const sampledMax = 10
/** Publications on their way: well below what a cluster lets one room have. */
const windowMax = 128
/** How often the others read: what a server sends to so many is the generator's to receive on the same processors. */
const gulpMs = 20
/** Nothing was delivered for this time: what is missing is lost. */
const patienceMs = 10_000

/** Publishes to the one room of the crowd and waits for every delivery. */
export async function fire(crowd: Crowd, { perSecond, seconds }: Volley): Promise<Hits> {
  const { subscribers } = crowd
  const [sampled, others] = [subscribers.slice(0, sampledMax), subscribers.slice(sampledMax)]
  for (const other of others) other.ignore()
  const receivedNow = () => subscribers.reduce((total, { wire }) => total + wire.received, 0)
  const before = receivedNow()
  const delaysMs: number[] = []
  const gulp = () => {
    for (const { wire } of others) wire.read()
  }
  const gulping = setInterval(gulp, gulpMs)

  let published = 0
  let underWay = 0
  let failure: unknown = null
  const start = performance.now()
  const shoot = () => {
    const elapsed = Math.min((performance.now() - start) / 1000, seconds)
    if (perSecond === null && elapsed === seconds) return
    const due = perSecond === null ? Infinity : Math.floor(elapsed * perSecond)
    while (published < due && underWay < windowMax) {
      const by = published % sampled.length
      published++
      underWay++
      sampled[by]!.publish({ sentAt: performance.now(), by }).catch((error: unknown) => (failure ??= error))
    }
  }
  sampled.forEach((subscriber, index) => {
    subscriber.onPublication = ({ data }) => {
      delaysMs.push(performance.now() - data.sentAt)
      if (data.by !== index) return
      underWay--
      shoot()
    }
  })
  const total = perSecond === null ? Infinity : perSecond * seconds
  while (published < total && performance.now() - start < seconds * 1000 + patienceMs && failure === null) {
    shoot()
    if (perSecond === null && performance.now() - start >= seconds * 1000) break
    await sleep(1)
  }

  let [received, changedAt] = [receivedNow() - before, performance.now()]
  while (received < published * subscribers.length && performance.now() - changedAt < patienceMs) {
    await sleep(2)
    gulp()
    const now = receivedNow() - before
    if (now !== received) [received, changedAt] = [now, performance.now()]
  }
  clearInterval(gulping)
  if (failure !== null) throw failure
  const { count: disconnected, why } = crowd.gone
  const lost = published * subscribers.length - received
  return { published, deliveries: received, elapsedMs: changedAt - start, delaysMs, lost, disconnected, why }
}
