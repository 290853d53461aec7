/** Proves what is taken for a fault, what is said of what is none, and what a VirtualService's routes come to. */
import t from 'tap'
import { routeFaults } from '../../../controller/faults/route-faults.ts'
import { readFault, writtenFault } from '../../../controller/faults/rule.ts'
import { checkResource } from '../../../controller/resources/parse.ts'
import type { VirtualServiceSpec } from '../../../controller/resources/virtual-service.ts'
import { faultStages } from '../../../protocol/records/fault.ts'

const share = { percentage: { value: 10 } }
const delay = { ...share, fixedDelay: '2s' }

/** The message with which it is refused. */
function refusal(written: object): string {
  try {
    readFault('f', written)
    return ''
  } catch (error) {
    return (error as Error).message
  }
}

void t.test('a fault is read as it is written, with seconds as they are and a seed', async (t) => {
  const written = {
    stage: 'worker.afterPoll',
    match: { version: { exact: 'v2' }, user: { regex: 'test-.*' } },
    delay,
    abort: { ...share, code: 1_500 },
    kill: share,
    seed: 7,
    expiresAfter: '10m',
  }
  const kept = readFault('f', written)
  t.same(kept, {
    rule: {
      name: 'f',
      stage: 'worker.afterPoll',
      match: written.match,
      delay: { percentage: 10, fixedDelay: 2_000 },
      abort: { percentage: 10, code: 1_500 },
      kill: { percentage: 10 },
      seed: 7,
    },
    lastsMs: 600_000,
  })
  t.same(writtenFault(kept), { name: 'f', ...written })
  t.same(readFault('f', { stage: 'db', delay }).rule.seed, 0)
})

void t.test('what is no fault is refused with what is wrong', async (t) => {
  t.match(refusal({ delay }), /stage/)
  t.match(refusal({ stage: 'later', delay }), /stage.*proxy\.onFrame/)
  t.match(refusal({ stage: 'db' }), /neither delay nor abort nor kill/)
  t.match(refusal({ stage: 'db', delay: { ...share, fixedDelay: 2 } }), /fixedDelay/)
  t.match(refusal({ stage: 'db', delay: { percentage: { value: 101 }, fixedDelay: '1s' } }), /percentage\.value/)
  t.match(refusal({ stage: 'db', delay, match: { user: { exact: 'ada' } } }), /db does not know the user/)
  t.match(refusal({ stage: 'produce', delay, match: { version: { exact: 'v' } } }), /does not know the version/)
  t.match(refusal({ stage: 'proxy.onFrame', delay, match: { user: { regex: '(' } } }), /user/)
  t.match(refusal({ stage: 'proxy.onSend', abort: { ...share, code: 111 } }), /no code/)
  t.match(refusal({ stage: 'db', abort: { ...share, wsCloseCode: 3_001 } }), /no wsCloseCode/)
  t.match(refusal({ stage: 'proxy.onFrame', abort: { ...share, code: 111, wsCloseCode: 3_001 } }), /not both/)
  for (const stage of faultStages) t.equal(refusal({ stage, delay, abort: share, kill: share }), '', stage)
})

void t.test('each match of a route is a fault of its own', async (t) => {
  const route = [{ destination: { subset: 'v1' } }]
  const fault = { stage: 'worker.beforeCommit', delay }
  const { parsed, findings } = checkResource({
    apiVersion: 'holdfast.dev/v1',
    kind: 'VirtualService',
    metadata: { name: 'chat' },
    spec: {
      ws: [
        { name: 'staff', match: [{ namespace: { exact: 'staff' } }, { slotGroup: { exact: 'two' } }], route, fault },
        { name: 'wrong', route, fault: { stage: 'db' } },
        { route, fault },
        { route },
      ],
    },
  })
  t.same(findings, [])
  const { faults, skipped } = routeFaults('chat', parsed!.resource.spec as VirtualServiceSpec)
  t.same(
    faults.map(({ rule: { name, match } }) => [name, match]),
    [
      ['chat/staff/0', { namespace: { exact: 'staff' } }],
      ['chat/staff/1', { group: { exact: 'two' } }],
      ['chat/2', {}],
    ],
  )
  t.equal(skipped.length, 1)
})
