import { errors } from '../../../protocol/client/codes.ts'
import { Missed } from '../../../proxy/channels/missed.ts'
import { ReadBudget } from '../../../proxy/sessions/read-budget.ts'
import type { Session } from '../../../proxy/sessions/session.ts'
import type { Outcome, Request } from '../../../proxy/uplink/request.ts'
import type { Uplink } from '../../../proxy/uplink/uplink.ts'
import { ManualClock } from '../../support/manual-clock.ts'

export const history = { size: 10, ttlMs: 1_000 }
export const limit = 10

/** Reads through an uplink that only notes them; a session may read 100 bytes at once, and 100 a second. */
export class ReadingRig {
  readonly clock = new ManualClock()
  readonly sent: Request[] = []
  isFull = false
  readonly missed: Missed
  readonly budget = new ReadBudget(this.clock, { rate: 100, burst: 100 })

  constructor() {
    const send = (request: Request) => (this.isFull ? errors.tooManyRequests : this.sent.push(request))
    this.missed = new Missed({ send } as unknown as Uplink, this.budget)
  }

  read(session: Session, after: number, upTo: number) {
    const reader = { for: 'joining' as const, session, channel: 'room', after, upTo }
    return this.missed.read(reader, { after, upTo, history, limit })
  }

  /** Answers the oldest read that was sent. */
  answer(outcome: Partial<Outcome> = {}) {
    const { work } = this.sent.shift()!
    const { key } = work as typeof work & { for: 'missed' }
    return this.missed.answered(key, {
      error: null,
      body: Buffer.from('{"offset":3},{"offset":4}'),
      version: 'v',
      ...outcome,
    })
  }
}
