import { lateMs } from '../../protocol/records/counters.ts'
import { plus, roomsKept } from './room-pasts.ts'
import type { RoomNews, RoomTotals } from './room-pasts.ts'
import type { Measurement } from './run.ts'
import { logEvidence, noEvidence, raised, rateOf, upperBound, withShare } from './sequential.ts'
import type { Share } from './sequential.ts'
import type { BadWhen, RoomsProvider } from './template.ts'

/** What a metric of the rooms provider has without saying so. */
export const roomsDefaults: Required<Omit<RoomsProvider, 'badWhen'>> & { badWhen: Required<BadWhen> } = {
  minRooms: 0,
  maxBadRooms: 5,
  maxBadRatioDelta: 0.005,
  alpha: 0.01,
  badWhen: { deliveryViolations: 0, errors: 0.01, late: 0.5 },
}

/** What is thought of a room: nothing when too little is known of its past or its present. */
export type RoomVerdict = 'bad' | 'good' | 'unknown'

/** A room that was handled by the canary, and what is thought of it. */
export interface JudgedRoom {
  room: string
  verdict: RoomVerdict
  /** Why it is bad, in one line. */
  reason: string
  commands: number
}

interface TrialRoom {
  /** As it was when the trial first met the room. */
  past: RoomTotals | undefined
  canary: RoomTotals | null
  stable: RoomTotals | null
}

/** Things that may be worse in a room than they were. */
interface Judged {
  words: string
  share: (totals: RoomTotals) => Share
  increase: keyof BadWhen
}

const judged: readonly Judged[] = [
  { words: 'errors', share: ({ commands: n, errors: k }) => ({ n, k }), increase: 'errors' },
  {
    words: 'commands done without their message',
    share: ({ commands: n, silent: k }) => ({ n, k }),
    increase: 'errors',
  },
  ...lateMs.map((ms, index): Judged => ({
    words: `commands later than ${ms} ms`,
    share: ({ commands: n, late }) => ({ n, k: late[index] ?? 0 }),
    increase: 'late',
  })),
]

/** Commands under the canary below which nothing is said of a room that has no violation. */
const commandsMin = 5

/** Rooms while a canary handles some of them: each is compared with its own past. Bounded. */
export class RoomTrial {
  readonly #versions: { stable: string; canary: string }
  readonly #spec: RoomsProvider
  readonly #rooms = new Map<string, TrialRoom>()

  constructor(versions: { stable: string; canary: string }, spec: RoomsProvider) {
    this.#versions = versions
    this.#spec = spec
  }

  /** A room did more; `past` is what was known of it before. */
  heard({ room, version, done }: RoomNews, past: RoomTotals | undefined): void {
    const side = version === this.#versions.canary ? 'canary' : version === this.#versions.stable ? 'stable' : null
    if (side === null || done.commands === 0) return
    const known = this.#rooms.get(room) ?? { past, canary: null, stable: null }
    this.#rooms.delete(room)
    const before = known[side]
    this.#rooms.set(room, { ...known, [side]: before ? plus(before, done) : done })
    if (this.#rooms.size > roomsKept.rooms) this.#rooms.delete(this.#rooms.keys().next().value!)
  }

  /** Rooms that the canary handled, each with its verdict. */
  get judged(): JudgedRoom[] {
    return this.#judge('canary')
  }

  /** How the canary's rooms are, compared with those that stayed. */
  get measurement(): Measurement {
    const { minRooms, maxBadRooms, maxBadRatioDelta } = { ...roomsDefaults, ...this.#spec }
    const [canary, stable] = [this.#judge('canary'), this.#judge('stable')]
    const [bad, badBefore] = [badOf(canary), badOf(stable)]
    const text = `${bad.k} of ${bad.n} rooms are harmed under the canary, ${badBefore.k} of ${badBefore.n} under the stable version`
    const isWorse = bad.k > 0 && rateOf(bad) - rateOf(badBefore) > maxBadRatioDelta
    // One harmed room of a few is no share to speak of; the cap on their number holds anyway.
    const isShare = bad.k > 1 || bad.n * maxBadRatioDelta >= 1
    if (bad.k > maxBadRooms || (isWorse && isShare)) return { phase: 'Failed', value: text, message: text }
    if (bad.n < minRooms) return { phase: 'Inconclusive', value: text, message: `fewer than ${minRooms} judged rooms` }
    return { phase: 'Successful', value: text, message: '' }
  }

  /**
   * Which rooms are bad. What a room's evidence comes to is an e-value against its own past; of several, those that are
   * called bad are chosen by e-BH (Wang and Ramdas, "False discovery rate control with e-values", J. R. Stat. Soc. B 84,
   * 2022), so that at most a share of alpha of them is called so wrongly, however they depend on one another and however
   * often this is looked at. A room with violations is bad without further ado.
   */
  #judge(side: 'canary' | 'stable'): JudgedRoom[] {
    const { alpha } = { ...roomsDefaults, ...this.#spec }
    const badWhen = { ...roomsDefaults.badWhen, ...this.#spec.badWhen }
    const rooms = [...this.#rooms].flatMap(([room, { past, ...sides }]) => {
      const totals = sides[side]
      return totals === null ? [] : [{ room, totals, ...suspicion(totals, past, badWhen, alpha / 2) }]
    })
    const known = rooms.filter(({ log }) => log !== null).sort((a, b) => b.log! - a.log!)
    const last = known.findLastIndex(({ log }, index) => log! >= Math.log(known.length / ((index + 1) * (alpha / 2))))
    const bad = new Set(known.slice(0, last + 1).map(({ room }) => room))
    return rooms.map(({ room, totals, log, reason }) => {
      const { commands, violations } = totals
      if (violations > badWhen.deliveryViolations)
        return { room, verdict: 'bad', reason: `${violations} violations`, commands }
      if (bad.has(room)) return { room, verdict: 'bad', reason, commands }
      return { room, verdict: log === null ? 'unknown' : 'good', reason: '', commands }
    })
  }
}

/** The strongest evidence that a room is worse than it was, and of what; null when too little is known. */
function suspicion(
  totals: RoomTotals,
  past: RoomTotals | undefined,
  badWhen: Required<BadWhen>,
  delta: number,
): { log: number | null; reason: string } {
  if (past === undefined || past.commands < commandsMin || totals.commands < commandsMin)
    return { log: null, reason: '' }
  const logs = judged.map(({ share, increase, words }) => {
    const [now, before] = [share(totals), share(past)]
    const isLarge = rateOf(now) - rateOf(before) >= badWhen[increase]
    // The bound of each may be wrong: together they are so with a probability of delta at most.
    const bound = upperBound(before, delta / judged.length)
    const evidence = isLarge ? logEvidence(withShare(noEvidence(raised), raised, now, bound)) : 0
    return { log: evidence, reason: `${words}: ${now.k} of ${now.n}, before ${before.k} of ${before.n}` }
  })
  const strongest = logs.reduce((a, b) => (b.log > a.log ? b : a))
  // The largest of several is worth no more than their mean times their number.
  return { log: strongest.log - Math.log(judged.length), reason: strongest.reason }
}

function badOf(rooms: JudgedRoom[]): Share {
  const known = rooms.filter(({ verdict }) => verdict !== 'unknown')
  return { n: known.length, k: known.filter(({ verdict }) => verdict === 'bad').length }
}
