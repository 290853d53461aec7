/**
 * Proves the Dockerfile as far as it goes without an engine: what it promises, and that a folder with exactly the files
 * that it copies can run every role, its command and its health check, and is not written to.
 */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { freePort } from '../../compose/services/free-port.ts'
import { exitCodes } from '../../platform/exit-codes.ts'
import { ended } from '../support/command.ts'
import { until } from '../support/until.ts'
import { contextDirectory, environmentOf, listOf, readDockerfile, textsOf } from './dockerfile.ts'
import { Image } from './image.ts'

const readyDeadlineMs = 20_000

const stages = readDockerfile()
const last = stages.at(-1)!

void t.test('what it promises', async (t) => {
  for (const { from } of stages) t.match(from, /^node:\d+\.\d+\.\d+-slim$/, 'small, and of a pinned version')
  t.equal(new Set(stages.map(({ from }) => from)).size, 1, 'one Node for all')
  const { engines } = JSON.parse(readFileSync(`${contextDirectory}package.json`, 'utf8')) as {
    engines: { node: string }
  }
  t.ok(Number(/^node:(\d+)/.exec(last.from)?.[1]) >= Number(/\d+/.exec(engines.node)?.[0]), 'that can run it')
  t.equal(last.instructions.findLast(({ name }) => name === 'USER')?.text, 'node')
  const user = last.instructions.findIndex(({ name }) => name === 'USER')
  t.notOk(last.instructions.slice(user).some(({ name }) => ['RUN', 'COPY', 'USER'].includes(name) && name !== 'USER'))
  t.strictSame(textsOf(last, 'STOPSIGNAL'), ['SIGTERM'])
  for (const name of ['ENTRYPOINT', 'CMD', 'HEALTHCHECK']) t.ok(listOf(last, name).length > 0, `${name} needs no shell`)
  t.notOk(stages.some((stage) => textsOf(stage, 'ADD').length > 0))
  const labels = textsOf(last, 'LABEL').join(' ')
  for (const label of ['title', 'description', 'licenses']) t.match(labels, `org.opencontainers.image.${label}=`)
})

void t.test('it copies what git knows and .dockerignore lets through, and all that the package has', async (t) => {
  const [all, ...exceptions] = readFileSync(`${contextDirectory}.dockerignore`, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  t.equal(all, '*')
  const copied = stages
    .flatMap((stage) => textsOf(stage, 'COPY'))
    .filter((text) => !text.startsWith('--from='))
    .flatMap((text) => text.split(' ').slice(0, -1))
  t.strictSame([...new Set(copied.map((source) => `!${source}`))].toSorted(), exceptions.toSorted())

  const { files } = JSON.parse(readFileSync(`${contextDirectory}package.json`, 'utf8')) as { files: string[] }
  // Figures and texts are for people.
  const needed = files.filter((folder) => !['bench', 'docs'].includes(folder))
  for (const folder of needed) t.ok(copied.includes(folder), `${folder} is in the image`)
})

void t.test('a folder with its files and no others', async (t) => {
  using image = await Image.build()
  const files = image.files()
  t.notOk(files.includes('node_modules/tap'), 'without what only developers need')

  await t.test('its command', async (t) => {
    const { code, stdout, stderr } = await image.run(image.command())
    t.match({ code, stderr }, { code: 0, stderr: '' })
    t.match(stdout, /Usage: holdfast/)
  })

  await t.test('its health check follows the process', async (t) => {
    t.equal(environmentOf(last)['HOLDFAST_HTTP_SERVER_INTERNAL_PORT'], textsOf(last, 'EXPOSE')[0]?.split(' ').at(-1))
    const container = { HOLDFAST_HTTP_SERVER_INTERNAL_PORT: String(await freePort()) }
    t.equal((await image.run(image.healthCheck, container)).code, 1, 'nobody there')
    const engine = image.start(['engine'], container)
    let said = ''
    engine.stderr.on('data', (data: Buffer) => (said += data.toString()))
    let code: number | null = null
    const end = performance.now() + readyDeadlineMs
    while (code !== 0 && performance.now() < end) ({ code } = await image.run(image.healthCheck, container))
    t.equal(code, 0, said)
    engine.kill('SIGTERM')
    t.strictSame(await ended(engine), { code: exitCodes.ok, signal: null })
    t.equal((await image.run(image.healthCheck, container)).code, 1)
  })

  await t.test('every role starts', async (t) => {
    const [port, controllerPort] = [await freePort(), await freePort()]
    const dev = image.start(['dev'], {
      HOLDFAST_HTTP_SERVER_PORT: String(port),
      HOLDFAST_CONTROLLER_PORT: String(controllerPort),
    })
    let said = ''
    for (const stream of [dev.stdout, dev.stderr]) stream.on('data', (data: Buffer) => (said += data.toString()))
    await until(
      'ready',
      () => {
        if (dev.exitCode !== null) throw new Error(said)
        return said.includes('holdfast is ready')
      },
      readyDeadlineMs,
    )
    t.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 200, 'the page is there')
    dev.kill('SIGTERM')
    t.strictSame(await ended(dev), { code: exitCodes.ok, signal: null })
  })

  await t.test('what speaks to Kafka and MySQL is there', async (t) => {
    for (const adapter of ['./log/kafka/kafka-log.ts', './store/mysql/mysql-store.ts']) {
      const outcome = await image.run([process.execPath, '--input-type=module', '--eval', `await import('${adapter}')`])
      t.match(outcome, { code: 0, stderr: '' }, adapter)
    }
  })

  t.strictSame(image.files(), files, 'nothing was written beside the code')
})
