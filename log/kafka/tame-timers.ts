import RequestQueue from 'kafkajs/src/network/requestQueue/index.js'

/** How often it is looked for requests without an answer: what their timeout is precise to, ms. */
const timeoutLookMs = 500
/** How often what waits for room in flight is looked after, ms. */
const pendingLookMs = 10

let isTame = false

/**
 * kafkajs reckons what it waits for by the time of day. A clock that goes back an hour keeps a broker that once throttled
 * from being asked anything for that hour, and one that falls silent from being given up; a clock that goes forward ends
 * every request under way. Here its request queues go by time that only goes forward.
 *
 * Its timers are mended with them. It looks after throttled requests with one that it sets anew whenever it fires.
 * Nothing being throttled, the time is negative, which Node takes as 1 ms and, from 24 on, warns about: a thousand
 * wake-ups a second for each connection (github.com/tulios/kafkajs/issues/1751). A queue with nothing pending and nothing
 * throttled needs no timer: it looks whenever a request is added or answered.
 */
export function tameTimers(): void {
  if (isTame) return
  isTame = true
  const { prototype } = RequestQueue
  for (const name of Object.keys(tame) as (keyof typeof tame)[]) {
    if (typeof prototype[name] !== 'function') throw new Error('kafkajs is not the version that is known')
  }
  Object.assign(prototype, tame)
}

/** When a request was first seen under way, monotonic ms. */
const seenAt = new WeakMap<object, number>()

const tame = {
  maybeThrottle(this: RequestQueue, ms: number | null): void {
    if (ms !== null && ms > 0) this.throttledUntil = Math.max(performance.now() + ms, this.throttledUntil)
  },

  canSendSocketRequestImmediately(this: RequestQueue): boolean {
    const hasRoom = this.maxInFlightRequests === null || this.inflight.size < this.maxInFlightRequests
    return hasRoom && this.throttledUntil <= performance.now()
  },

  scheduleCheckPendingRequests(this: RequestQueue): void {
    const throttledMs = this.throttledUntil - performance.now()
    if (this.throttleCheckTimeoutId !== null || (this.pending.length === 0 && throttledMs <= 0)) return
    const look = () => {
      this.throttleCheckTimeoutId = null
      this.checkPendingRequests()
    }
    this.throttleCheckTimeoutId = setTimeout(look, Math.max(throttledMs, pendingLookMs))
  },

  scheduleRequestTimeoutCheck(this: RequestQueue): void {
    this.destroy()
    const look = () => {
      const now = performance.now()
      for (const request of this.inflight.values()) {
        if (now - seenAt.getOrInsert(request, now) > request.requestTimeout) request.timeoutRequest()
      }
      if (!this.isConnected()) this.destroy()
    }
    this.requestTimeoutIntervalId = setInterval(look, Math.min(this.requestTimeout, timeoutLookMs))
  },
}
