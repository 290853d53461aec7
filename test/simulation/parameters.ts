/** What a seed decides about a run before it begins. */
import type { Config } from '../../config/config.ts'
import { testConfig } from '../harness/settings.ts'
import type { Delays, Rates } from './network.ts'
import { noFaults } from './network.ts'
import type { Seeded } from './seeded.ts'

/** What loses data for which a promise was made: at most one kind a run, since two at once are out of scope. */
export type Loss = 'none' | 'commands' | 'inbox' | 'topics' | 'store'

export const dayMs = 86_400_000

/** What happens how often while faults last; every run draws its own mixture. */
export interface Parameters {
  config: Config
  controllers: number
  workers: number
  proxies: number
  clients: number
  rooms: string[]
  /** Virtual ms in which clients and faults are busy. */
  activeMs: number
  /** Mean time between two actions of a client, ms. */
  thinkMs: number
  rates: Rates
  delays: Delays
  /** Mean time between two faults, ms. */
  faultEveryMs: number
  /** Relative weights. */
  faults: Record<FaultName, number>
  loss: Loss
  /** Mean time between two settings of a clock, ms; null where none is set. */
  clockEveryMs: number | null
  /** Controllers hold connections to workers, and see them end. */
  hasWires: boolean
  /** Two versions share the slots, by weights that change. */
  hasWeights: boolean
  /** Versions are rolled out; null where they change as deployments have it. */
  releases: ReleaseParameters | null
  /** Operators set faults. */
  hasFaultRules: boolean
  /** It is waited until nothing is left of dead proxies. */
  checksRemains: boolean
}

/** Who judges canaries: nobody, the template that is built in, or those of the run. */
export type Judged = 'nobody' | 'built-in' | 'templates'

/** How versions are rolled out. */
export interface ReleaseParameters {
  /** Of each version that is wanted. */
  workers: number
  judged: Judged
  /** Commands of the canary before the run's templates say anything. */
  minCommands: number
  /** Looks without data that do not hold a rollout. */
  inconclusiveMax: number
  /** The rollout has a route of its own, that of rooms with slots of their own, and not all slots. */
  hasRoute: boolean
  /** Workers that stall are ejected. */
  hasOutliers: boolean
  /** All workers of a version die now and then. */
  hasOutages: boolean
}

export const faultNames = ['freeze', 'crash', 'stop', 'drain', 'cut', 'stall', 'deploy', 'slowClient'] as const
export type FaultName = (typeof faultNames)[number]

/** The namespace of rooms that have a group of slots of their own. */
export const grouped = 'staff'

/** What a run does not draw. */
const base = testConfig()

/** Draws what a run is made of. Small bounds are drawn on purpose: they are met more often. */
export function drawParameters(random: Seeded): Parameters {
  const isCalm = random.chance(0.15)
  const groups = random.fork('groups')
  const hasGroups = groups.chance(0.25)
  const hasWeights = random.fork('weights').chance(0.25)
  const releases = hasWeights ? null : drawReleases(random.fork('releases of versions'), isCalm, hasGroups)
  const hasFaultRules = !isCalm && (releases?.hasOutliers || random.fork('injected faults').chance(0.25))
  // A controller has to lead before there are any, and versions take their time.
  const laterMs = (releases === null ? 0 : 2_500) + (hasFaultRules ? 1_000 : 0)
  return {
    config: hasGroups ? withGroup(drawConfig(random.fork('config')), groups) : drawConfig(random.fork('config')),
    controllers: random.integer(1, 2),
    workers: random.integer(2, 4),
    proxies: random.integer(1, 3),
    clients: random.integer(2, 6),
    rooms: Array.from({ length: random.integer(1, 5) }, (_, index) =>
      hasGroups && index % 2 === 0 ? `${grouped}:room-${index}` : `room-${index}`,
    ),
    activeMs: random.between(1_500, 6_000) + laterMs,
    thinkMs: random.pick([50, 100, 150, 400]),
    rates: isCalm ? noFaults : drawRates(random.fork('rates')),
    delays: { usualMs: random.pick([0.5, 2, 10]), slowMs: random.pick([20, 200, 1_500]) },
    faultEveryMs: isCalm ? 1_000_000 : random.pick([150, 400, 1_200]),
    faults: drawFaults(random.fork('faults')),
    loss: random.chance(0.75) ? 'none' : random.pick<Loss>(['commands', 'inbox', 'topics', 'store', 'store']),
    clockEveryMs: isCalm ? null : random.fork('clocks').pick([null, 300, 1_000]),
    hasWires: random.fork('deaths of workers').chance(0.5),
    hasWeights,
    releases,
    hasFaultRules,
    checksRemains: random.fork('remains').chance(0.25),
  }
}

function drawConfig(random: Seeded): Config {
  const config = structuredClone(base)
  config.topics.slots = random.integer(1, 5)
  config.topics.inbox_partitions = random.integer(1, 3)
  config.controller.death_time = random.pick([300, 600, 1_200])
  config.controller.proxy_death_time = random.pick([1_000, 2_500])
  config.controller.parallel_handoffs = random.pick([1, 4])
  config.worker.heartbeat_interval = random.pick([100, 200])
  config.worker.batch_max = random.pick([2, 10, 500])
  config.worker.cache_channels_max = random.pick([1, 2, 10_000])
  config.worker.quiesce_timeout = random.pick([50, 300, 2_000])
  config.worker.reads_max = random.pick([1, 16])
  config.worker.lane_backlog_max = random.pick([3_000, 20_000, 67_108_864])
  config.proxy.heartbeat_interval = random.pick([100, 300])
  config.proxy.in_flight_max = random.pick([4, 16, 1_024])
  // What may wait for a slot must be what it handles within a deadline: otherwise all answers come too late, and what is
  // sent again for them keeps it so.
  if (config.worker.batch_max === 2) config.proxy.in_flight_max = Math.min(config.proxy.in_flight_max, 16)
  config.proxy.isolation_timeout = random.pick([1_500, 5_000])
  config.proxy.position_check_interval = random.pick([1_000, 3_000])
  config.client.reply_deadline = random.pick([700, 2_000, 4_500])
  config.client.ping_interval = random.pick([1_000, 3_000])
  config.client.pong_timeout = 600
  config.client.queue_max_size = random.pick([1_024, 1_048_576])
  config.channel.without_namespace.history_size = random.pick([5, 100])
  // Longer than clocks are apart: what is older by one clock alone is still promised.
  config.channel.without_namespace.history_ttl = 8 * dayMs
  config.shutdown.jitter = random.pick([0, 200])
  config.shutdown.timeout = 1_500
  return config
}

/** Some of the rooms have slots of their own. */
function withGroup(config: Config, random: Seeded): Config {
  config.channel.namespaces = [{ name: grouped, ...config.channel.without_namespace }]
  config.topics.groups = [{ name: 'inner', slots: random.integer(1, 3), namespaces: [grouped] }]
  return config
}

function drawRates(random: Seeded): Rates {
  const rate = () => random.pick([0, 0, 0.005, 0.03, 0.1])
  return { lost: rate(), unacknowledged: rate(), late: rate(), slow: rate(), crash: random.pick([0, 0, 0.0005, 0.002]) }
}

function drawFaults(random: Seeded): Record<FaultName, number> {
  return Object.fromEntries(faultNames.map((name) => [name, random.pick([0, 1, 1, 3])])) as Record<FaultName, number>
}

function drawReleases(random: Seeded, isCalm: boolean, hasGroups: boolean): ReleaseParameters | null {
  if (!random.chance(0.28)) return null
  const hasOutliers = random.chance(0.5)
  return {
    // Of three one may be ejected, and not two.
    workers: hasOutliers ? 3 : random.integer(1, 2),
    judged: random.pick(['nobody', 'built-in', 'templates', 'templates']),
    minCommands: random.pick([1, 10, 40]),
    inconclusiveMax: random.pick([2, 1_000_000]),
    hasOutliers,
    hasOutages: !isCalm && random.chance(0.5),
    hasRoute: hasGroups && random.chance(0.5),
  }
}
