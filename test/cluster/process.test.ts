/**
 * Proves the shell of a long-lived process: orderly stop by signals, a second one at once, a deadline, deafness to the
 * terminal under a supervisor, and that every bad end is said in one line with its exit code.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { Test } from 'tap'
import { exitCodes, signalExitCode } from '../../platform/exit-codes.ts'
import { resolvedConfigVariable } from '../../platform/resolved-config.ts'
import { sameSignalMs } from '../../platform/signals.ts'
import { ended, environment } from '../support/command.ts'
import { until } from '../support/until.ts'

const fixture = fileURLToPath(new URL('fixtures/process.ts', import.meta.url))

interface Started {
  process: ChildProcess
  stderr: () => string
  /** Types of the messages that it sent. */
  said: () => string[]
}

/** Runs the fixture, which does as `does` says. */
function start(t: Test, does: string, env: Record<string, string> = {}): Started {
  const child = spawn(process.execPath, [fixture, does], {
    env: environment(env),
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  let stderr = ''
  child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const said: string[] = []
  child.on('message', (message) => said.push((message as { type: string }).type))
  return { process: child, stderr: () => stderr, said: () => said }
}

async function ready(t: Test, does: string, env?: Record<string, string>): Promise<Started> {
  const started = start(t, does, env)
  await until('ready', () => started.said().includes('ready'))
  return started
}

const supervised = { [resolvedConfigVariable]: '{}' }

void t.test('stops in order', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const { process, stderr } = await ready(t, 'stop')
    process.kill(signal)
    t.same(await ended(process), { code: exitCodes.ok, signal: null })
    t.match(stderr(), /"msg":"stopped in order"/)
  }
})

void t.test('a second signal ends it at once', async (t) => {
  const { process, stderr } = await ready(t, 'never-stop')
  process.kill('SIGTERM')
  await until('stopping', () => stderr().includes('stopping'))
  process.kill('SIGINT')
  t.same(await ended(process), { code: signalExitCode.SIGINT, signal: null })
})

void t.test('a stop that takes too long is given up', async (t) => {
  const { process, stderr } = await ready(t, 'never-stop')
  process.kill('SIGTERM')
  t.same(await ended(process), { code: exitCodes.failure, signal: null })
  t.match(stderr(), /not stopped after 700 ms/)
})

void t.test('under a supervisor a terminal is not heard', async (t) => {
  const { process, stderr, said } = await ready(t, 'stop', supervised)
  process.kill('SIGINT')
  process.kill('SIGHUP')
  process.kill('SIGTERM')
  await until('it asks', () => said().includes('signalled'))
  t.equal(process.exitCode, null, 'the signal may have come to the whole group')
  process.send({ type: 'stop' })
  t.same(await ended(process), { code: exitCodes.ok, signal: null })
  t.match(stderr(), /"reason":"SIGTERM"/)
})

void t.test('under a supervisor that says nothing a second signal ends it all the same', async (t) => {
  const { process, said } = await ready(t, 'stop', supervised)
  process.kill('SIGTERM')
  await until('it asks', () => said().includes('signalled'))
  await setTimeout(sameSignalMs)
  process.kill('SIGTERM')
  t.same(await ended(process), { code: signalExitCode.SIGTERM, signal: null })
})

void t.test('a process stops by itself when it has nothing left to do', async (t) => {
  const { process, stderr } = start(t, 'done')
  t.same(await ended(process), { code: exitCodes.ok, signal: null })
  t.match(stderr(), /"reason":"drained"/)
})

void t.test('bad ends', async (t) => {
  const cases: [string, number, RegExp][] = [
    ['damaged', exitCodes.damagedData, /^probe: the data is damaged here\n$/],
    ['port', exitCodes.portInUse, /^probe: 127\.0\.0\.1:\d+ is in use\n$/],
    ['throw', exitCodes.failure, /"msg":"could not start"/],
    ['crash', exitCodes.failure, /"msg":"an error that nobody caught"/],
    ['reject', exitCodes.failure, /"msg":"a rejection that nobody handled"/],
  ]
  for (const [does, code, line] of cases) {
    const { process, stderr } = start(t, does)
    t.same(await ended(process), { code, signal: null }, does)
    await until('its line', () => line.test(stderr()))
    t.equal(stderr().trim().split('\n').length, 1, 'one line')
  }
})

void t.test('secrets do not reach the log', async (t) => {
  const { process, stderr } = await ready(t, 'secrets')
  process.kill('SIGTERM')
  await ended(process)
  t.match(stderr(), /"token":"\*\*\*"/)
  t.notMatch(stderr(), /hunter/)
})

void t.test('ends with its parent', async (t) => {
  const { process } = await ready(t, 'stop')
  process.disconnect()
  t.same(await ended(process), { code: exitCodes.failure, signal: null })
})
