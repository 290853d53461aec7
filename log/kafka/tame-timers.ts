import RequestQueue from 'kafkajs/src/network/requestQueue/index.js'

let isTame = false

/**
 * kafkajs looks after throttled requests with a timer that it sets anew whenever it fires. Nothing being throttled, the
 * time is negative, which Node takes as 1 ms and, from 24 on, warns about: a thousand wake-ups a second for each
 * connection (github.com/tulios/kafkajs/issues/1751). A queue with nothing pending and nothing throttled needs no timer:
 * it looks whenever a request is added or answered.
 */
export function tameTimers(): void {
  if (isTame) return
  isTame = true
  const { prototype } = RequestQueue
  const { scheduleCheckPendingRequests } = prototype
  if (typeof scheduleCheckPendingRequests !== 'function') throw new Error('kafkajs is not the version that is known')
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length === 0 && this.throttledUntil <= Date.now()) return
    scheduleCheckPendingRequests.call(this)
  }
}
