import { chat } from '../apps/chat/chat.ts'
import { pinGroups } from '../cluster/pin-groups.ts'
import { loadConfig } from '../config/load.ts'
import { MemoryLogData } from '../log/memory/memory-log.ts'
import { systemClock } from '../platform/clock.ts'
import type { AppCommand, AppState } from '../protocol/app/contract.ts'
import { slotId } from '../protocol/slot.ts'
import { MemoryStoreData } from '../store/memory/memory-store.ts'
import { Counters } from '../worker/slot/counters.ts'
import { handleCommands } from '../worker/slot/handle.ts'
import { memoryOf } from '../worker/slot/memory.ts'
import { SlotFaults } from '../worker/slot/slot-faults.ts'
import { memoryEnv } from './memory-env.ts'
import { quantile } from './stats.ts'

const rounds = 15
const repeats = 20_000

/** CPU of the stages that a worker passes with a batch while no fault is set, beside that of one awaited call, µs. */
export async function stagesByThemselves(): Promise<{ stages: number; call: number }> {
  const { config } = loadConfig({ env: {}, cwd: import.meta.dirname, flags: {} })
  const env = memoryEnv(config, new MemoryLogData(), new MemoryStoreData(() => systemClock.now()))
  await env.store.migrate()
  await pinGroups(env.store, config, 'bench')
  const state = await env.store.acquire({
    slot: slotId('default', 0),
    seen: { token: null, epoch: 0 },
    token: 't',
    owner: 'w',
    version: 'v1',
    announced: null,
  })
  if (state === null) throw new Error('the slot has an owner')
  const faults = new SlotFaults(env, memoryOf(state), {
    version: 'v1',
    killing: () => Promise.resolve(false),
    stopped: () => false,
  })
  const commit = () => Promise.resolve('committed')
  const call = await cpuOf(async () => void (await commit()))
  const stages = await cpuOf(async () => {
    await faults.afterPoll([])
    await faults.beforeCommit([])
    await faults.asked(commit)
    await faults.afterCommit([])
  })
  await env.store.close()
  return { stages: stages - call, call }
}

/** CPU of counting a command in a batch of so many, and of what the app does with it, µs. */
export async function countingByItself(batch: number): Promise<{ counting: number; app: number }> {
  const commands = Array.from({ length: batch }, (_, index): AppCommand => {
    return {
      channel: `room-${index}`,
      method: 'publish',
      user: 'user',
      session: 'session',
      connInfo: null,
      time: 1,
      seed: 'abcdefabcdef',
      history: { size: 100, ttlMs: 300_000 },
      data: Buffer.from(JSON.stringify({ text: 'x'.repeat(100) })),
    }
  })
  const rooms = commands.map(({ channel }) => channel)
  const channels = new Map(rooms.map((room) => [room, { epoch: 'epoch', top: 5, lastTime: 1 }]))
  const state: AppState = { worker: 'w', version: 'v1', channels, known: new Map() }
  const outcomes = await handleCommands(chat, state, commands)
  if (outcomes.some(({ failure }) => failure !== null)) throw new Error('the app can not handle the commands')
  const counters = new Counters()
  const app = await cpuOf(async () => void (await handleCommands(chat, state, commands)), batch)
  const counting = await cpuOf(() => {
    counters.handled({ app: chat, state, commands, outcomes, tookMs: 1 })
    counters.committed(rooms, 2)
  }, batch)
  return { counting, app }
}

/** Of one call of `run` for each of the commands that it is for, median of the rounds, µs. */
async function cpuOf(run: () => Promise<void> | void, commands = 1): Promise<number> {
  const times = Math.ceil(repeats / commands)
  const measured: number[] = []
  for (let round = -rounds; round < rounds; round++) {
    const before = process.cpuUsage()
    for (let count = 0; count < times; count++) await run()
    const { user, system } = process.cpuUsage(before)
    if (round >= 0) measured.push((user + system) / (times * commands))
  }
  return quantile(measured, 0.5)
}
