/** What people do with a rollout in a run, and where it must come to rest. */
import { Changes } from '../../controller/api/changes.ts'
import type { Command } from '../../controller/rollouts/commands.ts'
import type { RolloutState } from '../../controller/rollouts/state.ts'
import { isUnderWay } from '../../controller/rollouts/state.ts'
import { parseSlot } from '../../protocol/slot.ts'
import type { SlotId } from '../../protocol/slot.ts'
import type { Cluster } from './cluster.ts'
import { watchEjected } from './ejections.ts'
import type { ReleaseParameters } from './parameters.ts'
import { drawRollout, groundOf, releasedVersions, rolloutName } from './release-resources.ts'
import type { Seeded } from './seeded.ts'
import { Supervisor } from './supervisor.ts'

/** The first version is applied within this time, ms; what is done first comes about when a controller leads. */
const firstMs = 800
/** Mean time between two commands, ms. */
const commandEveryMs = 500

interface Rollout {
  spec: { strategy: { canary: { steps: { pause?: { duration?: string } }[] } } }
}

/** Applies rollouts and gives commands while faults last, through whoever leads. */
export class Releases {
  readonly #cluster: Cluster
  readonly #random: Seeded
  readonly #supervisor: Supervisor

  constructor(cluster: Cluster) {
    this.#cluster = cluster
    this.#random = cluster.random.fork('releases')
    this.#supervisor = new Supervisor(cluster, releasedVersions[0])
  }

  /** Workers are kept from now on. */
  startWorkers(): void {
    this.#supervisor.start()
  }

  /** Until `isOver`. */
  start(isOver: () => boolean): void {
    const { scheduler, parameters } = this.#cluster
    const releases = parameters.releases
    if (releases === null) return
    if (releases.hasOutages) this.#supervisor.startOutages(isOver)
    if (releases.hasOutliers) watchEjected(this.#cluster)
    scheduler.after(this.#random.between(100, firstMs), null, 'the first rollout', () => {
      this.#apply(releases, 'v2')
      this.#goOn(releases, isOver)
    })
  }

  heal(): void {
    this.#supervisor.heal()
  }

  #goOn(releases: ReleaseParameters, isOver: () => boolean): void {
    const ms = this.#random.between(0, commandEveryMs * 2)
    this.#cluster.scheduler.after(ms, null, 'a command for the rollout', () => {
      if (isOver()) return
      // What nobody has heard of is said again.
      const state = this.#stateOf()
      if (state === null || this.#random.chance(0.35)) this.#apply(releases, this.#random.pick(releasedVersions))
      else if (this.#random.chance(0.05)) this.#delete()
      else this.#order(this.#drawn(state))
      this.#goOn(releases, isOver)
    })
  }

  #apply(releases: ReleaseParameters, version: string): void {
    this.#cluster.processes.apply([...groundOf(releases), drawRollout(this.#random, version, releases)])
  }

  #delete(): void {
    this.#cluster.processes.asLeader('deletes the rollout', (leader) =>
      leader.resources.delete([{ kind: 'Rollout', name: rolloutName }], 'ada'),
    )
  }

  #order(command: Command): void {
    this.#cluster.processes.asLeader(`rollout ${command.type}`, async (leader, store) => {
      const changes = new Changes(leader, store)
      await leader.rollouts.order(rolloutName, command, 'ada', (change) =>
        changes.make({ caller: { role: 'write', who: 'ada' } }, change),
      )
    })
  }

  /** Mostly what can be done as the rollout is. */
  #drawn(state: RolloutState): Command {
    const random = this.#random
    const type = random.pick(random.chance(0.8) ? fittingOrders(state) : orders)
    if (type === 'promote') return { type, full: random.chance(0.2) }
    if (type === 'undo') return { type, toRevision: random.chance(0.7) ? null : random.integer(1, 3) }
    return { type }
  }

  /** Why the rollout is neither over nor waits for a person, or not all slots are where it says; null when all is well. */
  get unrest(): string | null {
    const { releases } = this.#cluster.parameters
    if (releases === null) return null
    const applied = this.#applied
    if (applied === null) return releases.hasRoute ? null : this.#notServed()
    const state = this.#stateOf()
    if (state === null) return 'a rollout has not begun'
    const why = goesOn(state, { isTimed: pausesFor(applied, state), isLast: releases.workers === 1 })
    if (why !== null) return `the rollout is ${state.mode}, step ${state.step}: ${why}`
    return this.#misplaced(state)
  }

  get #applied(): Rollout | null {
    const row = this.#cluster.storeData.sql.get("SELECT body FROM document WHERE kind = 'Rollout'")
    return typeof row?.['body'] === 'string' ? (JSON.parse(row['body']) as Rollout) : null
  }

  #stateOf(): RolloutState | null {
    const row = this.#cluster.storeData.sql.get("SELECT body FROM document WHERE kind = 'RolloutState'")
    return typeof row?.['body'] === 'string' ? (JSON.parse(row['body']) as RolloutState) : null
  }

  /** Without a rollout the version that serves has everything. */
  #notServed(): string | null {
    const { processes, storeData } = this.#cluster
    const serving = storeData.ask('servingVersion')
    const owners = storeData.sql.all('SELECT owner FROM lease') as unknown as { owner: string }[]
    const other = owners.map(({ owner }) => processes.versions.get(owner)).find((version) => version !== serving)
    return other === undefined ? null : `${serving} serves, and ${other} has a slot`
  }

  /** Of each group of the rollout the canary has what its weight says, to within one slot; all or nothing at the ends. */
  #misplaced({ mode, stable, canary, groups, weight: kept }: RolloutState): string | null {
    // What took over keeps everything until a person says otherwise.
    const weight = mode === 'replaced' ? 0 : kept
    const { processes, storeData } = this.#cluster
    const leases = storeData.sql.all('SELECT slot, owner FROM lease') as unknown as { slot: SlotId; owner: string }[]
    const versions = processes.versions
    for (const [group, slots] of Map.groupBy(leases, ({ slot }) => parseSlot(slot).group)) {
      if (groups !== 'all' && !groups.includes(group)) continue
      const had = (version: string) => slots.filter(({ owner }) => versions.get(owner) === version).length
      const wanted = (slots.length * weight) / 100
      const slack = weight === 0 || weight === 100 ? 0 : 1
      if (Math.abs(had(canary) - wanted) > slack)
        return `${canary} has ${had(canary)} slots of ${group}, and is to have ${wanted} of ${slots.length}`
      if (stable !== canary && had(stable) + had(canary) !== slots.length)
        return `${stable} and ${canary} do not have all ${slots.length} slots of ${group}`
    }
    return null
  }
}

const orders = ['promote', 'pause', 'resume', 'abort', 'undo', 'restart', 'retry'] as const

function fittingOrders(state: RolloutState): readonly (typeof orders)[number][] {
  if (state.hold !== null) return ['promote', 'resume', 'abort']
  if (isUnderWay(state)) return ['promote', 'pause', 'abort', 'undo']
  return state.mode === 'settled' ? ['undo', 'restart'] : ['retry', 'undo']
}

/** True while the step that it is at is a pause that ends by itself. */
function pausesFor({ spec }: Rollout, { step }: RolloutState): boolean {
  return spec.strategy.canary.steps[step]?.pause?.duration !== undefined
}

/** What a rollout still waits for that is not a person; null when it is at rest. */
function goesOn(state: RolloutState, { isTimed, isLast }: { isTimed: boolean; isLast: boolean }): string | null {
  const { mode, hold, phase, reason, restart, endedAt, message } = state
  // The last worker is drained for nobody: it waits for another.
  if (restart !== null && !isLast) return `workers are still to be replaced: ${message}`
  if (mode === 'aborted') return endedAt === null ? 'slots are still to go back' : null
  if (!isUnderWay(state) || hold !== null) return null
  // Its deadline has passed, and it is not to abort; a person looks.
  if (phase === 'Degraded' && mode !== 'returning') return null
  if (reason === 'CanaryPauseStep') return isTimed ? 'it pauses for a time' : null
  // What nothing was measured of waits for data, or for a person who promotes it all the same.
  if (mode === 'promoting' && !state.isMeasured && state.hasTraffic) return null
  return message
}
