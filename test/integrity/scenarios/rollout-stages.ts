import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { openStore } from '../../../cluster/open-store.ts'
import { rolloutKinds } from '../../../controller/rollouts/kept-rollouts.ts'
import type { RolloutReport } from '../../../controller/rollouts/report.ts'
import type { Mode, RolloutState } from '../../../controller/rollouts/state.ts'
import type { Store } from '../../../store/store.ts'
import type { Fleet } from '../../harness/clients/fleet.ts'
import type { Cluster } from '../../harness/processes/cluster.ts'
import { ControllerPair } from '../../harness/processes/controller-pair.ts'
import {
  Canary,
  healthy,
  pausedAt,
  returned,
  rolloutOf,
  rolloutView,
  slowHandoffs,
  workersOf,
} from '../../harness/processes/rollout.ts'
import type { Step } from '../../harness/processes/rollout.ts'
import { underLoad } from '../../harness/processes/under-load.ts'
import { until } from '../../support/until.ts'

/** Settings of a cluster for these scenarios: the second controller is none of `holdfast dev`. */
export const rolloutStageSettings = { HOLDFAST_FAULTS_ENABLED: 'on' }

/** A timed pause, and how much later than its end it may be found to be over: a leader has to be followed. */
const pauseMs = { lasts: 7_000, late: 4_000 }

const half: Step[] = [{ setWeight: 50 }, { pause: {} }]

/** Where a controller is killed, and what becomes of the rollout. It begins and ends with v1 at every slot. */
interface Stage {
  name: string
  /** What the store has when the controller dies; null where that is not known. */
  mode: Mode | null
  /** More that the store then has. */
  has?: (state: RolloutState) => boolean
  /** Brings a rollout there. */
  reach: (scene: Scene) => Promise<void>
  /** With the next leader: it goes on as it was ordered, and to its end. */
  end: (scene: Scene) => Promise<void>
}

/** Kills the leader at these stages of a rollout, under load: the next one goes on from what the store has. */
export function rolloutStageScenarios(t: Test, cluster: Cluster, part: 'forward' | 'back'): void {
  void t.test('the controller that leads is killed at every stage of a rollout', async (t) => {
    const pair = await ControllerPair.start(cluster)
    await using hooks = await Hooks.start()
    await using store = await openedStore(cluster)
    await slowHandoffs(pair)
    await using v2 = await Canary.start(cluster)
    void v2
    await underLoad(t, cluster, `rollout-stages-${part}`, async (fleet) => {
      for (const [index, stage] of (part === 'forward' ? forward : back).entries()) {
        const scene: Scene = { t, cluster, pair, hooks, fleet, store, name: `stage-${index}` }
        fleet.note(stage.name)
        await stage.reach(scene)
        await killed(scene, stage)
        await stage.end(scene)
        await pair.send('POST', 'resources/delete', { names: [{ kind: 'Rollout', name: scene.name }] })
        await atV1(scene)
      }
      t.ok(fleet.clear, 'no command missed its answer')
    })
  })
}

interface Scene {
  t: Test
  cluster: Cluster
  pair: ControllerPair
  hooks: Hooks
  fleet: Fleet
  store: Store & AsyncDisposable
  /** Of the rollout. */
  name: string
}

const forward: readonly Stage[] = [
  {
    name: 'a Rollout was just applied',
    mode: null,
    reach: (scene) => applied(scene, half),
    end: (scene) => halfWay(scene),
  },
  {
    name: 'the canary has no worker yet',
    mode: 'waiting',
    has: ({ reason }) => reason === 'WaitingForWorkers',
    reach: async (scene) => {
      await applied(scene, half, { canaryService: 'v3' })
      await shows(scene, 'WaitingForWorkers')
    },
    end: async (scene) => {
      await using v3 = scene.cluster.start('worker', '--version', 'v3')
      void v3
      await halfWay(scene, 'v3')
    },
  },
  {
    name: 'a gate is closed',
    mode: 'waiting',
    has: ({ gate }) => gate === 'confirm-rollout',
    reach: async (scene) => {
      scene.hooks.isOpen = false
      await applied(scene, half, {}, { webhooks: [{ name: 'gate', type: 'confirm-rollout', url: scene.hooks.url }] })
      await shows(scene, 'WaitingForGate')
    },
    end: async (scene) => {
      await shows(scene, 'WaitingForGate')
      scene.hooks.isOpen = true
      await halfWay(scene)
    },
  },
  {
    name: 'what is applied cannot be begun',
    mode: 'invalid',
    reach: async (scene) => {
      await applied(scene, half, { stableService: 'v9' })
      await shows(scene, 'InvalidSpec')
    },
    end: async (scene) => {
      await shows(scene, 'InvalidSpec')
      await applied(scene, half)
      await halfWay(scene)
    },
  },
  {
    name: 'slots are on their way',
    mode: 'stepping',
    has: ({ step, weight, canarySlots }) => step === 0 && weight === 50 && canarySlots < 8,
    reach: async (scene) => {
      await applied(scene, half)
      await hasSlots(scene, 1)
    },
    end: (scene) => halfWay(scene),
  },
  {
    name: 'it is paused until a person goes on',
    mode: 'stepping',
    has: ({ step, reason }) => step === 1 && reason === 'CanaryPauseStep',
    reach: async (scene) => {
      await applied(scene, [{ setWeight: 10 }, { pause: {} }, ...half])
      await pausedAt(scene.t, scene.pair, scene.name, 10)
    },
    end: async (scene) => {
      await pausedAt(scene.t, scene.pair, scene.name, 10)
      await order(scene, 'promote')
      await halfWay(scene)
    },
  },
  {
    name: 'it is paused for a time',
    mode: 'stepping',
    has: ({ step, reason }) => step === 1 && reason === 'CanaryPauseStep',
    reach: async (scene) => {
      const pause = { duration: `${pauseMs.lasts / 1_000}s` }
      await applied(scene, [{ setWeight: 10 }, { pause }, ...half])
      await pausedAt(scene.t, scene.pair, scene.name, 10)
    },
    end: async (scene) => {
      await halfWay(scene)
      const lastedMs = await pauseOf(scene)
      const isOnce = lastedMs >= pauseMs.lasts && lastedMs < pauseMs.lasts + pauseMs.late
      scene.t.ok(isOnce, `the pause of ${pauseMs.lasts} ms lasted ${lastedMs} ms`)
    },
  },
  {
    name: 'an analysis is under way',
    mode: 'stepping',
    has: ({ step }) => step === 1,
    reach: async (scene) => {
      await scene.pair.send('POST', 'resources', { resources: [templateOf(scene.hooks)] })
      await applied(scene, [{ setWeight: 10 }, { analysis: { templates: [{ templateName: 'asks' }] } }, ...half])
      // It was asked once when that was applied, too.
      scene.hooks.asked = 0
      await until('it is asked', () => scene.hooks.asked > 0)
    },
    end: async (scene) => {
      await halfWay(scene)
      scene.t.ok(scene.hooks.asked >= measurements, 'the analysis began anew')
    },
  },
  {
    name: 'it is held by a person',
    mode: 'stepping',
    has: ({ hold }) => hold?.reason === 'RolloutPaused',
    reach: async (scene) => {
      await applied(scene, half)
      await hasSlots(scene, 1)
      await order(scene, 'pause')
    },
    end: async (scene) => {
      await shows(scene, 'RolloutPaused')
      await order(scene, 'promote')
      await halfWay(scene)
    },
  },
]

const back: readonly Stage[] = [
  {
    name: 'it is being promoted',
    mode: 'promoting',
    has: ({ canarySlots }) => canarySlots < 16,
    reach: async (scene) => {
      await applied(scene, half)
      await pausedAt(scene.t, scene.pair, scene.name, 50)
      await order(scene, 'promote', { full: true })
      await hasSlots(scene, 9)
    },
    end: async (scene) => {
      await healthy(scene.pair, scene.name, 'v2')
      await order(scene, 'undo')
      await order(scene, 'promote', { full: true })
      await healthy(scene.pair, scene.name, 'v1')
    },
  },
  {
    name: 'it is being aborted',
    mode: 'aborted',
    has: ({ endedAt }) => endedAt === null,
    reach: async (scene) => {
      await applied(scene, half)
      await pausedAt(scene.t, scene.pair, scene.name, 50)
      await order(scene, 'abort')
    },
    end: (scene) => returned(scene.pair, scene.name),
  },
  {
    name: 'it is being undone in the middle',
    mode: 'returning',
    has: ({ endedAt }) => endedAt === null,
    reach: async (scene) => {
      await applied(scene, half)
      await pausedAt(scene.t, scene.pair, scene.name, 50)
      await order(scene, 'undo')
    },
    end: (scene) => healthy(scene.pair, scene.name, 'v1'),
  },
  {
    name: 'workers are replaced one after the other',
    mode: 'settled',
    has: ({ restart }) => typeof restart?.current === 'string',
    reach: async (scene) => {
      await applied(scene, half, { canaryService: 'v1' })
      await shows(scene, 'RolloutHealthy')
      await order(scene, 'restart')
      await until('the first to drain', async () => (await idsOf(scene, 'v1', 'live')).length < 2)
    },
    end: async (scene) => {
      await until(
        'every worker to be replaced',
        async () => {
          const [report] = (await stateOf(scene))!.entries.slice(-1)
          return report?.type === 'RolloutRestarted' && (await workersOf(scene.pair, 'v1')) === 2
        },
        30_000,
      )
    },
  },
  {
    name: 'all workers of the version that served died, and another took over',
    mode: 'replaced',
    reach: async (scene) => {
      await applied(scene, half, { canaryService: 'v1' })
      await shows(scene, 'RolloutHealthy')
      // Nobody starts them again.
      process.kill(scene.cluster.running.pid, 'SIGSTOP')
      const workers = await scene.pair.read<{ pid: number; version: string }[]>('workers')
      for (const { pid, version } of workers) if (version === 'v1') process.kill(pid, 'SIGKILL')
      await shows(scene, 'ServingVersionReplaced')
    },
    end: async (scene) => {
      await shows(scene, 'ServingVersionReplaced')
      process.kill(scene.cluster.running.pid, 'SIGCONT')
      await until('workers of v1', async () => (await workersOf(scene.pair, 'v1')) === 2)
      await order(scene, 'retry')
      await order(scene, 'promote', { full: true })
      await healthy(scene.pair, scene.name, 'v1')
    },
  },
]

/** The one that leads dies; what it has kept says where it was. */
async function killed(scene: Scene, { name, mode, has }: Stage): Promise<void> {
  const { t, pair, fleet, hooks } = scene
  await pair.kill()
  hooks.asked = 0
  const diedAt = performance.now()
  const state = await stateOf(scene)
  if (mode !== null) t.equal(state?.mode, mode, name)
  if (has !== undefined) t.ok(has(state!), `${name}: ${state!.message}`)
  await pair.followed()
  fleet.note(`another leads: ${name}`)
  t.pass(`${name}: another leads after ${(performance.now() - diedAt).toFixed(0)} ms`)
}

async function stateOf({ store, name }: Scene): Promise<RolloutState | null> {
  const document = (await store.documents(rolloutKinds.state)).find((each) => each.name === name)
  return document ? (JSON.parse(document.body) as RolloutState) : null
}

async function applied({ pair, name }: Scene, steps: Step[], canary: object = {}, spec: object = {}): Promise<void> {
  const rollout = rolloutOf(name, steps, canary)
  await pair.send('POST', 'resources', { resources: [{ ...rollout, spec: { ...rollout.spec, ...spec } }] })
}

async function order({ pair, name }: Scene, what: string, body: object = {}): Promise<void> {
  await pair.send('POST', `rollouts/${name}/${what}`, body)
}

/** It goes on to 50 %, and is ended there. */
async function halfWay(scene: Scene, canary = 'v2'): Promise<void> {
  await pausedAt(scene.t, scene.pair, scene.name, 50, canary)
  await order(scene, 'abort')
  await returned(scene.pair, scene.name)
}

async function shows({ pair, name }: Scene, reason: string): Promise<void> {
  await until(`${name} to be ${reason}`, async () => (await rolloutView(pair, name)).reason === reason)
}

async function hasSlots({ pair, name }: Scene, slotsMin: number): Promise<void> {
  const had = async () => (await rolloutView(pair, name)).slots.byVersion['v2'] ?? 0
  await until(`v2 to have ${slotsMin} slots`, async () => (await had()) >= slotsMin)
}

/** Every slot has an owner of v1: nothing of a stage is left. */
async function atV1({ pair }: Scene): Promise<void> {
  await until('every slot to be at v1', async () => {
    const slots = await pair.read<{ version: string | null }[]>('slots')
    return slots.every(({ version }) => version === 'v1')
  })
}

async function idsOf({ pair }: Scene, version: string, state: string): Promise<string[]> {
  const workers = await pair.read<{ id: string; version: string; state: string }[]>('workers')
  return workers.filter((each) => each.version === version && each.state === state).map(({ id }) => id)
}

/** How long the second step took, as the report has it. */
async function pauseOf({ pair, name }: Scene): Promise<number> {
  const [report] = await pair.read<RolloutReport[]>(`rollouts/${name}/report`)
  const [begun, over] = report!.entries.filter(({ type }) => type === 'RolloutStepCompleted')
  return over!.at - begun!.at
}

async function openedStore({ storeUrl }: Cluster): Promise<Store & AsyncDisposable> {
  const store = await openStore(storeUrl)
  return Object.assign(store, { [Symbol.asyncDispose]: () => store.close() })
}

/** Measurements of the analysis. */
const measurements = 5

function templateOf({ url }: Hooks): object {
  const prometheus = { address: url, query: 'good', timeout: 5 }
  const metric = {
    name: 'asked',
    interval: '300ms',
    count: measurements,
    successCondition: 'result == 1.0',
    provider: { prometheus },
  }
  return {
    apiVersion: 'holdfast.dev/v1',
    kind: 'AnalysisTemplate',
    metadata: { name: 'asks' },
    spec: { metrics: [metric] },
  }
}

/** A webhook that agrees while it is open, and a Prometheus that always has the same to say. */
class Hooks implements AsyncDisposable {
  isOpen = true
  /** Questions to Prometheus. */
  asked = 0
  readonly #server: Server

  private constructor() {
    this.#server = createServer((request, response) => {
      if (request.url !== '/api/v1/query') return void response.writeHead(this.isOpen ? 200 : 403).end()
      this.asked++
      const data = { resultType: 'scalar', result: [0, '1'] }
      response.end(JSON.stringify({ status: 'success', data }))
    })
  }

  static async start(): Promise<Hooks> {
    const hooks = new Hooks()
    hooks.#server.listen(0, '127.0.0.1')
    await once(hooks.#server, 'listening')
    return hooks
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
