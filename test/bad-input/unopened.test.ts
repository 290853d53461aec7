/**
 * Proves that a connection which never becomes a session is no more patient a guest than one that does: whatever it says
 * or does not say, it is gone after client.stale_close_delay; and its end, whenever it comes, is nobody else's.
 */
import t from 'tap'
import { errors } from '../../protocol/client/codes.ts'
import { closeGraceMs, sessionSweepMs } from '../../proxy/sessions/sessions.ts'
import { BareClient, upgradeRequest } from '../harness/clients/bare-client.ts'
import { Served } from '../harness/served.ts'
import { until } from '../support/until.ts'

const staleCloseDelayMs = 1_000
/** For a machine that is busy. */
const slackMs = 3_000

const slowBody = '\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{'
const slowPieces = '\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab'
const withBody = (request: string, body: string): string => request.replace(/\r\n\r\n$/, body)
const endings: [name: string, said: string][] = [
  ['nothing', ''],
  ['half a request', upgradeRequest.slice(0, 60)],
  ['a request, and then nothing', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['a body that does not end', `POST /x HTTP/1.1\r\nHost: x${slowBody}`],
  ['an upgrade of a path that is none', upgradeRequest.replace('/connection', '/%zz')],
  ['an upgrade of another path', upgradeRequest.replace('/connection', '/other')],
  ['an upgrade from a page that may not', withBody(upgradeRequest, '\r\nOrigin: http://evil.example\r\n\r\n')],
  ['an upgrade with a body that does not end', withBody(upgradeRequest, slowBody)],
  ['an upgrade with pieces that do not end', withBody(upgradeRequest, slowPieces)],
  ['another method with a body that does not end', withBody(upgradeRequest.replace('GET', 'POST'), slowBody)],
  ['an upgrade to protobuf, and no answer to its refusal', upgradeRequest.replace(' HTTP', '?format=protobuf HTTP')],
  ['an upgrade, and then nothing', upgradeRequest],
]

const served = await Served.start({ 'client.stale_close_delay': `${staleCloseDelayMs}ms` })
t.teardown(() => served[Symbol.asyncDispose]())

void t.test('whoever never becomes a session is gone in time', async (t) => {
  const since = performance.now()
  const clients = await Promise.all(
    endings.map(async ([name, said]) => {
      const client = await BareClient.open(served)
      if (said !== '') client.socket.write(said)
      return { name, client }
    }),
  )
  const stays = await served.client()
  const boundMs = staleCloseDelayMs + 2 * sessionSweepMs + closeGraceMs
  const deadlineMs = boundMs + slackMs
  const waited = await Promise.allSettled(
    clients.map(({ name, client }) => until(`${name} is gone`, () => client.closed, deadlineMs)),
  )
  t.strictSame(
    waited.filter(({ status }) => status === 'rejected'),
    [],
  )
  t.equal(await stays.errorOf({ rpc: {} }), errors.notAvailable.code, 'who is connected stays')
  await until('longer than anybody waits for them', () => performance.now() - since > boundMs + staleCloseDelayMs)
  t.equal(stays.closed, null, 'though it says nothing')
  t.equal(await served.connections(), 1)
})

void t.test('whoever leaves before, in order or by a reset, ends nothing else', async (t) => {
  for (const leave of ['end', 'reset', 'end later', 'reset later']) {
    await Promise.all(
      endings.map(async ([, said]) => {
        using client = await BareClient.open(served)
        if (said !== '') client.socket.write(said)
        if (leave.endsWith('later'))
          await until('it is heard', () => client.received !== '' || client.closed, 100).catch(() => {})
        if (leave.startsWith('end')) client.socket.end('more')
        else client.socket.resetAndDestroy()
        await until('it is closed', () => client.closed)
      }),
    )
    t.equal(await (await served.client(leave)).errorOf({ rpc: {} }), errors.notAvailable.code, leave)
  }
})
