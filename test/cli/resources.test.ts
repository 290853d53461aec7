/** What people do with resources from the command line, against a real controller and without one. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { configFollowers } from '../../controller/members/followers.ts'
import { commandLine } from '../harness/command-line.ts'
import { InProcessCluster } from '../harness/in-process-cluster.ts'
import { environment, holdfast, run } from '../support/command.ts'
import { launcher } from '../support/process.ts'
import { until } from '../support/until.ts'

const rule = `apiVersion: holdfast.dev/v1
kind: DestinationRule
metadata:
  name: workers
spec:
  host: chat-worker
  subsets:
    - name: canary
      labels:
        version: v2
`
const rollout = `# a canary
apiVersion: holdfast.dev/v1
kind: Rollout
metadata:
  name: chat
spec:
  paused: true
  strategy:
    canary:
      canaryService: canary
`
const wrong = rollout.replace('canaryService', 'canaryServise')

void t.test('resources are applied from files, folders and standard input', async (t) => {
  await using cluster = new InProcessCluster()
  const { cwd, env, write, cli } = await commandLine(t, cluster)
  mkdirSync(join(cwd, 'all'))
  write('all/1.yaml', rule)
  write('all/2.yml', rollout)
  write('all/README.md', 'no resource')
  const warned = /^warning HFT0101 Rollout\/chat spec.strategy.canary.canaryService: no worker of version v2 lives/
  t.match(await cli('apply', '-f', 'all'), {
    code: 0,
    stdout: 'DestinationRule/workers created\nRollout/chat created\n',
    stderr: warned,
  })
  const script = `cat all/1.yaml separator all/2.yml | "${process.execPath}" "${launcher}" apply -f -`
  write('separator', '---\n')
  const piped = await run('sh', ['-c', script], { cwd, env: environment(env) })
  t.match(piped, { code: 0, stdout: 'DestinationRule/workers unchanged\nRollout/chat unchanged\n' })
  write('new.yaml', rollout.replace('paused: true', 'paused: false'))
  t.match(await cli('apply', '-f', 'new.yaml', '--json'), { code: 0, stdout: /"outcome": "configured"/ })
})

void t.test('one error keeps all of it from being applied, and says where it is', async (t) => {
  await using cluster = new InProcessCluster()
  const { write, cli } = await commandLine(t, cluster)
  write('good.yaml', rule)
  write('wrong.yaml', wrong)
  t.match(await cli('apply', '-f', 'good.yaml', '-f', 'wrong.yaml'), {
    code: 1,
    stdout: '',
    stderr:
      'wrong.yaml: error HFT0003 Rollout/chat spec.strategy.canary.canaryServise (line 10): nobody knows this field; the nearest is canaryService',
  })
  t.equal((await cli('get', 'all')).stdout, 'no resources\n')
  write('lost.yaml', `${rule}---\n${rollout.replace('canaryService: canary', 'canaryService: other')}`)
  t.match(await cli('apply', '-f', 'lost.yaml'), { code: 1, stdout: '', stderr: /^error HFT0104 Rollout\/chat/ })
  t.match(await cli('apply', '-f', 'none.yaml'), { code: 1, stderr: /none.yaml: ENOENT/ })
  t.match(await cli('apply'), { code: 1, stderr: /required option '-f/ })
})

void t.test('resources are printed as they were written, and what is printed can be applied', async (t) => {
  await using cluster = new InProcessCluster()
  const { write, cli } = await commandLine(t, cluster)
  write('all.yaml', `${rule}---\n${rollout}`)
  await cli('apply', '-f', 'all.yaml')
  t.match((await cli('get', 'rollouts')).stdout, /^kind +name +revision +applied\nRollout +chat +1 +20/)
  t.equal((await cli('get', 'dr', 'workers', '-o', 'yaml')).stdout, rule)
  for (const format of ['yaml', 'json']) {
    write(`printed.${format}`, (await cli('get', 'all', '-o', format)).stdout)
    t.match(await cli('apply', '-f', `printed.${format}`), {
      code: 0,
      stdout: /workers unchanged\nRollout\/chat unchanged/,
    })
  }
  t.match(await cli('get', 'vs'), { code: 0, stdout: 'no resources\n' })
  t.match(await cli('get', 'vs', 'none'), { code: 1, stderr: /there is no VirtualService none/ })
  t.match(await cli('get', 'pods'), { code: 1, stderr: /no resources of the kind pods/ })
})

void t.test('a resource is described with what is to be said of it and what it was', async (t) => {
  await using cluster = new InProcessCluster()
  const { write, cli } = await commandLine(t, cluster)
  write('all.yaml', `${rule}---\n${rollout}`)
  await cli('apply', '-f', 'all.yaml')
  write('all.yaml', rule.replace('v2', 'v3'))
  await cli('apply', '-f', 'all.yaml')
  const { stdout } = await cli('describe', 'dr', 'workers')
  t.match(stdout, /^DestinationRule\/workers, revision 2, applied 20/)
  t.match(stdout, /nothing is wrong with it/)
  t.match(stdout, /2 +20.* +configured\n1 +20.* +created\n$/)
  t.match((await cli('describe', 'rollout', 'chat')).stdout, /warning HFT0101 .*version v3 lives/)
  t.match(JSON.parse((await cli('describe', 'dr', 'workers', '--json')).stdout), {
    history: [{ revision: 2 }, { revision: 1 }],
  })
})

void t.test(
  'diff prints what would change and ends with 1 then, 0 when nothing would and 2 when it cannot tell',
  async (t) => {
    await using cluster = new InProcessCluster()
    const { cwd, write, cli } = await commandLine(t, cluster)
    write('rule.yaml', rule)
    t.match(await cli('diff', '-f', 'rule.yaml'), {
      code: 1,
      stdout: /^--- cluster DestinationRule\/workers\n.*\n@@ -0,0 \+1,/,
    })
    await cli('apply', '-f', 'rule.yaml')
    t.match(await cli('diff', '-f', 'rule.yaml'), { code: 0, stdout: '' })
    write('rule.yaml', rule.replace('v2', 'v3'))
    t.match(await cli('diff', '-f', 'rule.yaml'), {
      code: 1,
      stdout: '-        version: v2\n+        version: v3\n',
    })
    write('wrong.yaml', wrong)
    t.match(await cli('diff', '-f', 'wrong.yaml'), { code: 2, stdout: '', stderr: /HFT0003 Rollout\/chat/ })
    t.match(await cli('diff', '-f', 'none.yaml'), { code: 2, stderr: /none.yaml: ENOENT/ })
    t.match(await cli('diff'), { code: 2, stderr: /required option '-f/ })
    const alone = await holdfast(['diff', '-f', 'rule.yaml'], cwd, { HOLDFAST_CONTROLLER_PORT: '1' })
    t.match(alone, { code: 2, stdout: '', stderr: /^holdfast: no controller answers/ })
  },
)

void t.test('resources are deleted by name or by file', async (t) => {
  await using cluster = new InProcessCluster()
  const { write, cli } = await commandLine(t, cluster)
  write('all.yaml', `${rule}---\n${rollout}`)
  await cli('apply', '-f', 'all.yaml')
  t.match(await cli('delete', 'ro', 'chat'), { code: 0, stdout: 'Rollout/chat deleted\n' })
  t.match(await cli('delete', 'ro', 'chat'), { code: 1, stderr: /there is no ro chat/ })
  t.match(await cli('delete', '-f', 'all.yaml'), { code: 0, stdout: 'DestinationRule/workers deleted\n' })
  t.match(await cli('delete', '-f', 'all.yaml'), { code: 0, stdout: 'none of them is there\n' })
  t.match(await cli('delete', 'ro'), { code: 1, stderr: /either KIND NAME, or -f FILE/ })
})

void t.test('validate says whether it asked the cluster', async (t) => {
  await using cluster = new InProcessCluster()
  const { cwd, write, cli } = await commandLine(t, cluster)
  write('all.yaml', `${rule}---\n${rollout}`)
  t.match(await cli('validate', '-f', 'all.yaml'), {
    code: 0,
    stdout: /HFT0101 Rollout\/chat.*\n2 resources are good, checked with the cluster\n$/,
  })
  t.equal((await cli('get', 'all')).stdout, 'no resources\n', 'and has changed nothing')
  const alone = (...args: string[]) => holdfast(['validate', ...args], cwd, { HOLDFAST_CONTROLLER_PORT: '1' })
  t.match(await alone('-f', 'all.yaml'), {
    code: 0,
    stdout: /^2 resources are good, checked by themselves, not with a cluster: no controller/,
  })
  write('wrong.yaml', `${wrong}---\n${rule}`)
  t.match(await alone('-f', 'wrong.yaml'), {
    code: 1,
    stdout: /^wrong.yaml: error HFT0003 .*\n.*\n1 resources were read/,
  })
  t.match(JSON.parse((await alone('-f', 'wrong.yaml', '--json')).stdout), {
    ok: false,
    against: 'files',
    findings: [{ line: 10 }, {}],
  })
})

void t.test('get config says which process follows which revision', async (t) => {
  await using cluster = new InProcessCluster()
  const { cli, controller, worker } = await commandLine(t, cluster)
  await controller.faults.put(
    'slow',
    { stage: 'db', delay: { percentage: { value: 1 }, fixedDelay: '1ms' }, expiresAfter: '1m' },
    'ann',
  )
  const { revision } = controller.faults
  await until('all have heard of it', () =>
    configFollowers(controller.members).every((each) => each.revision === revision),
  )
  const { processes } = JSON.parse((await cli('get', 'config', '-o', 'json')).stdout) as { processes: { id: string }[] }
  t.same(processes.map(({ id }) => id).toSorted(), [controller.id, worker.id].toSorted())
  t.match((await cli('get', 'config')).stdout, `revision ${revision}\n`)
})
