/** Proves what `holdfast audit` prints, against a real controller: who changed what, the newest first, as many as asked for. */
import t from 'tap'
import type { AuditView } from '../../cli/client/client.ts'
import { commandLine } from '../harness/command-line.ts'
import { InProcessCluster } from '../harness/in-process-cluster.ts'

const rule = (version: string) => ({
  apiVersion: 'holdfast.dev/v1',
  kind: 'DestinationRule',
  metadata: { name: 'workers' },
  spec: { host: 'chat-worker', subsets: [{ name: 'canary', labels: { version } }] },
})

void t.test('who changed what, newest first', async (t) => {
  await using cluster = new InProcessCluster()
  const { write, cli } = await commandLine(t, cluster)
  const audit = async (...args: string[]) => JSON.parse((await cli('audit', '--json', ...args)).stdout) as AuditView[]
  t.match(await cli('audit'), { code: 0, stdout: 'nobody has changed anything\n' })
  t.strictSame(await audit(), [])
  for (const version of ['v2', 'v3', 'v3']) {
    write('rule.json', JSON.stringify(rule(version)))
    await cli('apply', '-f', 'rule.json')
  }
  await cli('delete', 'dr', 'workers')

  const entries = await audit()
  t.match(
    entries.map(({ what, target }) => `${what} ${target}`),
    ['delete DestinationRule/workers', 'apply DestinationRule/workers', 'apply DestinationRule/workers'],
    'what changed nothing is not there',
  )
  const [gone, changed, made] = entries
  t.match(made, { who: /^write:.+@.+/, before: null, after: { 'DestinationRule/workers': rule('v2') } })
  t.strictSame(changed?.before, made?.after)
  t.strictSame(changed?.after, { 'DestinationRule/workers': rule('v3') })
  t.strictSame(gone?.before, changed?.after)
  t.equal(gone?.after, null)
  t.ok(gone!.id > changed!.id && changed!.id > made!.id)
  t.ok(gone!.time >= changed!.time && changed!.time >= made!.time)

  t.strictSame(await audit('--limit', '2'), [gone, changed])
  t.match(await cli('audit', '--limit', '0'), { code: 1, stderr: /a whole number from 1 to 500/ })
  const [head, first, ...others] = (await cli('audit')).stdout.trimEnd().split('\n')
  t.match(head, /^time +who +what +target +before +after$/)
  t.match(first, new RegExp(`^${gone?.time} +write:.+@.+ +delete +DestinationRule/workers +{.*} +-$`))
  t.equal(others.length, 2, 'a line for each')
})
