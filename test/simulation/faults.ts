import { slotGroups } from '../../cluster/slot-groups.ts'
import { clusterTopics } from '../../cluster/topics.ts'
import type { Config } from '../../config/config.ts'
/** What goes wrong in a run, and when. */
import {
  commandTopic,
  controlTopic,
  heartbeatPartitions,
  heartbeatTopic,
  inboxTopic,
  statusTopic,
} from '../../protocol/records/topics.ts'
import { parseSlot, slotId } from '../../protocol/slot.ts'
import type { SlotId } from '../../protocol/slot.ts'
import type { Cluster } from './cluster.ts'
import type { Link } from './host.ts'
import { noFaults } from './network.ts'
import { dayMs } from './parameters.ts'
import type { FaultName } from './parameters.ts'
import type { Seeded } from './seeded.ts'

/** How long one fault lasts at most, ms. */
const lastsMs = 2_500
/** A lossy failover loses what was committed within this time. */
const lostMs = 1_500
/** How far a clock is set at most, ms: as NTP does, as a suspended machine finds itself, as somebody errs. */
const clockJumpsMs = [2_000, 3_600_000, dayMs]
/** A person decides about a halted slot after this time, at most. */
const personMs = 1_000

/** Does things to a cluster for a while, then undoes all of it. */
export class Faults {
  readonly #cluster: Cluster
  readonly #random: Seeded
  readonly #clocks: Seeded
  #isOver = false
  #undo = new Set<() => void>()
  /** First offset of a slot that was lost and may hold something else now. */
  readonly #lostFrom = new Map<SlotId, number>()

  constructor(cluster: Cluster) {
    this.#cluster = cluster
    this.#random = cluster.random.fork('faults')
    this.#clocks = cluster.random.fork('clocks')
  }

  /** Slots that stand still until a person has looked. */
  readonly #halted = new Set<SlotId>()

  /** Who does not know yet that a slot stands still, or null. */
  get unrest(): string | null {
    const [slot] = this.#halted
    return slot === undefined ? null : `a person is still to look at slot ${slot}`
  }

  /** True when the run loses what only a person or a recovery can mend. */
  get losesCommands(): boolean {
    return this.#cluster.parameters.loss === 'commands'
  }

  start(): void {
    const { faultEveryMs, clockEveryMs, loss, activeMs } = this.#cluster.parameters
    const next = () => {
      this.#later(this.#random.between(0, faultEveryMs * 2), 'fault', () => {
        if (this.#isOver) return
        this.#one()
        next()
      })
    }
    next()
    this.#cluster.weights.start(() => this.#isOver)
    this.#cluster.releases.start(() => this.#isOver)
    this.#cluster.faultRules.start(() => this.#isOver)
    if (clockEveryMs !== null) this.#setClocks(clockEveryMs)
    if (loss === 'none') return
    for (let left = this.#random.integer(1, 2); left > 0; left--) {
      this.#later(this.#random.between(activeMs / 4, activeMs), `loss of ${loss}`, () => !this.#isOver && this.#lose())
    }
  }

  /** The last fault is over. */
  heal(): void {
    this.#isOver = true
    for (const undo of this.#undo) undo()
    this.#undo.clear()
    this.#cluster.network.rates = noFaults
    this.#cluster.releases.heal()
    this.#cluster.faultRules.heal()
  }

  /** A slot stands still because of what the log lost: a person looks and decides. */
  halted(slot: SlotId): void {
    if (!this.losesCommands) return this.#cluster.broken(`slot ${slot} halted although nothing was lost`)
    this.#halted.add(slot)
    this.#later(this.#random.between(1, personMs), `a person looks at slot ${slot}`, () => this.#reset(slot))
  }

  #later(ms: number, what: string, run: () => void): void {
    this.#cluster.scheduler.after(ms, null, what, run)
  }

  #one(): void {
    const cluster = this.#cluster
    const name = this.#drawn()
    const host = cluster.processes.pick(this.#random)
    if (name === null || host === null) return
    switch (name) {
      case 'freeze':
        host.freeze()
        return this.#for(`${host.name} wakes`, () => host.wake())
      case 'crash':
        return host.kill()
      case 'stop':
        return cluster.processes.stop(host)
      case 'drain':
        return cluster.processes.drain(this.#random)
      case 'cut': {
        const links = this.#random.pick<Link[]>([['log'], ['store'], ['log', 'store']])
        for (const link of links) host.cut[link] = true
        return this.#for(`${host.name} reaches ${links.join()}`, () => {
          for (const link of links) host.cut[link] = false
        })
      }
      case 'stall': {
        const what = `append ${this.#random.pick(this.#partitions())} `
        cluster.network.stall(what)
        return this.#for(`${what} goes on`, () => cluster.network.resume(what))
      }
      case 'deploy':
        return cluster.processes.deploy(this.#random, () => this.#isOver)
      case 'slowClient':
        return this.#random.pick(cluster.clients).slow(this.#random.between(0, lastsMs))
    }
  }

  /** Now and then a clock is set, and stays so. A controller that dies then is followed all the same. */
  #setClocks(everyMs: number): void {
    const { scheduler, processes } = this.#cluster
    const random = this.#clocks
    this.#later(random.between(0, everyMs * 2), 'a clock is set', () => {
      if (this.#isOver) return
      const ms = Math.round(random.between(-1, 1) * random.pick(clockJumpsMs))
      const host = processes.pick(random)
      const whose = random.pick(['all', 'store', 'host'] as const)
      if (whose === 'all') scheduler.aheadMs = ms
      else if (whose === 'store') this.#cluster.storeAheadMs = ms
      else if (host !== null) host.aheadMs = ms
      this.#cluster.note(`the clock of ${whose === 'host' ? host?.name : whose} is ${ms} ms ahead`)
      if (random.chance(0.5)) processes.killAll('controller')
      this.#setClocks(everyMs)
    })
  }

  #for(what: string, undo: () => void): void {
    this.#undo.add(undo)
    this.#later(this.#random.between(0, lastsMs), what, () => {
      if (this.#undo.delete(undo)) undo()
    })
  }

  #drawn(): FaultName | null {
    const weights = Object.entries(this.#cluster.parameters.faults) as [FaultName, number][]
    let left = this.#random.float() * weights.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [name, weight] of weights) if ((left -= weight) < 0) return name
    return null
  }

  #partitions(): string[] {
    const { config } = this.#cluster
    return clusterTopics(config).flatMap(({ name, partitions }) =>
      Array.from({ length: partitions }, (_, partition) => `${name}/${partition}`),
    )
  }

  #lose(): void {
    const { logData, config } = this.#cluster
    const random = this.#random
    const tail = (topic: string, partition: number) => {
      const { oldest, next } = logData.range(topic, partition)
      return random.chance(0.4) ? 0 : random.integer(Math.max(oldest, next - 20), next)
    }
    switch (this.#cluster.parameters.loss) {
      case 'none':
        return
      case 'commands': {
        const slot = random.pick(slotsOf(config))
        const { group, partition } = parseSlot(slot)
        const topic = commandTopic(group)
        const from = tail(topic, partition)
        if (random.chance(0.2)) {
          // Retention that nobody was asked about.
          logData.trim(topic, partition, logData.range(topic, partition).next)
          return this.#cluster.note(`${topic}/${partition} lost everything before its end`)
        }
        logData.lose(topic, partition, from)
        this.#lostFrom.set(slot, Math.min(from, this.#lostFrom.get(slot) ?? Infinity))
        return this.#cluster.note(`${topic}/${partition} lost everything from ${from} on`)
      }
      case 'inbox': {
        const partition = random.integer(0, config.topics.inbox_partitions - 1)
        if (random.chance(0.3)) logData.trim(inboxTopic, partition, logData.range(inboxTopic, partition).next)
        else logData.lose(inboxTopic, partition, tail(inboxTopic, partition))
        return this.#cluster.note(`${inboxTopic}/${partition} lost something`)
      }
      case 'topics': {
        const [topic, partition] = random.pick<[string, number]>([
          [controlTopic, 0],
          [statusTopic, 0],
          [heartbeatTopic, random.integer(0, heartbeatPartitions - 1)],
        ])
        logData.lose(topic, partition, tail(topic, partition))
        return this.#cluster.note(`${topic}/${partition} lost something`)
      }
      case 'store': {
        // A store that was never set up is no store that went back.
        if (this.#cluster.storeData.sql.all('SELECT 1 FROM lease').length < slotsOf(config).length) return
        const snapshot = this.#cluster.storeData.snapshot()
        const { rollbacks } = this.#cluster
        this.#later(random.between(0, lostMs), 'the store goes back', () => {
          // One that went back meanwhile does not go forth again.
          if (this.#isOver || rollbacks !== this.#cluster.rollbacks) return
          this.#cluster.note('the store goes back in time')
          this.#cluster.goBackTo(snapshot)
        })
      }
    }
  }

  /** The person knows what the log lost and goes on with the first record that may not have been handled. */
  #reset(slot: SlotId): void {
    this.#halted.delete(slot)
    const { storeData, logData } = this.#cluster
    const { group, partition } = parseSlot(slot)
    const lease = storeData.ask('lease', slot)
    const { oldest, next } = logData.range(commandTopic(group), partition)
    const lost = this.#lostFrom.get(slot) ?? Infinity
    const to = Math.min(Math.max(Math.min(lease.nextOffset, lost), oldest), next)
    this.#lostFrom.delete(slot)
    this.#cluster.note(`slot ${slot} is reset to ${to}`)
    this.#cluster.reset(slot, to)
  }
}

function slotsOf(config: Config): SlotId[] {
  return slotGroups(config).flatMap(({ name, slots }) =>
    Array.from({ length: slots }, (_, partition) => slotId(name, partition)),
  )
}
