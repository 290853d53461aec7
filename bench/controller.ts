import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pino from 'pino'
import { request } from 'undici'
import { Announcer } from '../cluster/announcer.ts'
import { openLog } from '../cluster/open-log.ts'
import { openStore } from '../cluster/open-store.ts'
import { pinGroups } from '../cluster/pin-groups.ts'
import { clusterTopics } from '../cluster/topics.ts'
import { freePort } from '../compose/services/free-port.ts'
import { engineDirectory, logUrl, storeUrl } from '../config/config.ts'
import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'
import type { Log } from '../log/log.ts'
import { createMetrics } from '../observability/metrics.ts'
import { systemClock } from '../platform/clock.ts'
import { systemRandom } from '../platform/random.ts'
import type { OwnedSlot } from '../protocol/records/heartbeat.ts'
import type { Store } from '../store/store.ts'
import { cpuOf } from './process.ts'
import type { Figure } from './report.ts'
import type { BenchServices } from './services.ts'

interface Shape {
  /** Slots of each group; the first is the default one. */
  groups: number[]
  workers: number
}

const large: Shape = { groups: [64, 64, 64, 64], workers: 20 }
const small: Shape = { groups: [1], workers: 1 }

const launcher = new URL('../cli/holdfast.js', import.meta.url).pathname

/**
 * CPU of a controller that leads and has nothing to do: workers that own all slots send their heartbeats, and no more
 * than these. The floor is a cluster of one worker that has one slot.
 */
export async function controllerIdle(services: BenchServices, seconds: number): Promise<Figure[]> {
  const floor = await measure(services, small, seconds)
  const value = await measure(services, large, seconds)
  const slots = large.groups.reduce((sum, count) => sum + count, 0)
  return [
    {
      name: `CPU of a controller, ${slots} slots and ${large.workers} workers`,
      value,
      unit: 'ms/s',
      floor: { name: '1 slot and 1 worker', value: floor },
    },
  ]
}

async function measure(services: BenchServices, shape: Shape, seconds: number): Promise<number> {
  await using stack = new AsyncDisposableStack()
  const place = stack.use(await services.place())
  const dataDir = await mkdtemp(join(tmpdir(), 'holdfast-bench-'))
  stack.defer(() => rm(dataDir, { recursive: true, force: true }))
  const env = {
    HOLDFAST_DATA_DIR: dataDir,
    HOLDFAST_CONTROLLER_PORT: String(await freePort()),
    HOLDFAST_LOG_LEVEL: 'error',
    ...groupsOf(shape),
    ...place.settings,
  }
  const { config } = loadConfig({ env, flags: {}, cwd: dataDir })
  if (engineDirectory(config) !== undefined) stack.use(start('engine', env))
  const [log, store] = await Promise.all([openLog(logUrl(config)), openStore(storeUrl(config))])
  stack.defer(() => Promise.all([log.close(), store.close()]).then(() => {}))
  await until('the engine answers', () => store.migrate())
  const owned = await own(log, store, config, shape)
  const announcers = owned.map((slots, index) => announce(log, `w-${index}`, slots, config))
  stack.defer(() => announcers.forEach((announcer) => announcer.stop()))
  const controller = stack.use(start('controller', env))
  await until('every slot has a live owner', () => served(config))
  // It has compiled what it does.
  await sleep(3_000)
  const before = await cpuOf(controller.pid)
  await sleep(seconds * 1_000)
  return ((await cpuOf(controller.pid)) - before) / seconds
}

function groupsOf({ groups: [first, ...others] }: Shape): Record<string, string> {
  const named = others.map((slots, index) => ({ name: `g${index}`, slots, namespaces: [`ns${index}`] }))
  return {
    HOLDFAST_TOPICS_SLOTS: String(first),
    HOLDFAST_CHANNEL_NAMESPACES: JSON.stringify(named.map(({ namespaces: [name] }) => ({ name }))),
    HOLDFAST_TOPICS_GROUPS: JSON.stringify(named),
  }
}

/** Makes the cluster, all of whose slots are owned; returns those of each worker. */
async function own(log: Log, store: Store, config: Config, { workers }: Shape): Promise<OwnedSlot[][]> {
  await log.createTopics(clusterTopics(config))
  await pinGroups(store, config, 'bench')
  await store.setServingVersion(null, 'v1')
  const owned = Array.from({ length: workers }, (): OwnedSlot[] => [])
  for (const [index, { slot, token, epoch }] of (await store.leases()).entries()) {
    const owner = index % workers
    const state = await store.acquire({
      slot,
      seen: { token, epoch },
      token: `t-${index}`,
      owner: `w-${owner}`,
      version: 'v1',
      announced: null,
    })
    if (state === null) throw new Error(`${slot} has an owner`)
    owned[owner]!.push({ slot, epoch: state.lease.epoch, incarnation: 0, nextOffset: 0, waitingMs: 0 })
  }
  return owned
}

/** What a worker says while nobody says anything to it. */
function announce(log: Log, id: string, slots: OwnedSlot[], config: Config): Announcer {
  const env = {
    clock: systemClock,
    random: systemRandom,
    log,
    logger: pino({ level: 'silent' }),
    metrics: createMetrics(),
  }
  const method = { commands: 1_000_000, errors: 10, refused: 100, silent: 0, several: 0 }
  const counters = {
    ...method,
    effects: { publish: 1_000_000, reply: 0, fail: 10, read: 100 },
    violations: 0,
    methods: { publish: method, 'chat.send': method },
    handle: Array.from({ length: 20 }, (_, index) => index * 1_000),
    batch: Array.from({ length: 25 }, (_, index) => index * 1_000),
  }
  const announcer = new Announcer(env, id, (beat) => ({
    type: 'heartbeat',
    role: 'worker',
    id,
    pid: 1,
    version: 'v1',
    internal: { host: '127.0.0.1', port: 1 },
    beat,
    state: 'live',
    slots,
    claimed: [],
    inFlight: 0,
    outbox: 0,
    term: 1,
    counters,
    rooms: [],
  }))
  announcer.start(config.worker.heartbeat_interval)
  return announcer
}

/** Rejects unless the controller leads and sees that every slot has a live owner. */
async function served({ controller, data_dir: dataDir }: Config): Promise<void> {
  const token = await readFile(join(dataDir, 'controller.token'), 'utf8')
  const headers = { authorization: `Bearer ${token.trim()}` }
  const response = await request(`http://127.0.0.1:${controller.port}/api/v1/status`, { headers })
  const { slots } = (await response.body.json()) as { slots: { total: number; owned: number } }
  if (slots.total === 0 || slots.owned < slots.total) throw new Error(`${slots.owned} of ${slots.total}`)
}

async function until(what: string, attempt: () => Promise<void>): Promise<void> {
  const end = performance.now() + 30_000
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (performance.now() > end) throw new Error(`waited in vain: ${what}`, { cause: error })
    }
    await sleep(100)
  }
}

function start(role: string, env: Record<string, string>): AsyncDisposable & { pid: number } {
  const child: ChildProcess = spawn(process.execPath, [launcher, role], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, ...env },
  })
  return {
    pid: child.pid!,
    async [Symbol.asyncDispose]() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      if (child.exitCode === null) await ended
    },
  }
}
