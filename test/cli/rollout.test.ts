/** Proves the commands for rollouts against a real controller: one that is watched until it ends, told to go on, and reported. */
import { join } from 'node:path'
import t from 'tap'
import { commandLine } from '../harness/command-line.ts'
import { InProcessCluster } from '../harness/in-process-cluster.ts'
import { Running } from '../support/process.ts'

const watchMaxMs = 20_000

const rollout = {
  apiVersion: 'holdfast.dev/v1',
  kind: 'Rollout',
  metadata: { name: 'chat' },
  spec: {
    strategy: {
      canary: { canaryService: 'v2', steps: [{ setWeight: 50 }, { pause: {} }], analysis: { templates: [] } },
    },
  },
}

void t.test('a rollout is watched until it ends, and then reported', async (t) => {
  await using cluster = new InProcessCluster()
  const { cwd, env, write, worker, cli } = await commandLine(t, cluster)
  const canary = await cluster.worker({ version: 'v2' })
  t.match(await cli('rollout', 'get'), { code: 0, stdout: 'no rollouts\n' })
  t.match(await cli('rollout', 'get', 'chat'), { code: 1, stderr: /^holdfast: .*chat/ })
  write('rollout.yaml', JSON.stringify(rollout))
  t.match(await cli('apply', '-f', 'rollout.yaml'), { code: 0 })

  await using watch = new Running(['rollout', 'get', 'chat', '--watch'], {
    HOLDFAST_DATA_DIR: join(cwd, '.holdfast'),
    ...env,
  })
  await watch.line('Paused CanaryPauseStep: v2 has 50 % of 50 %; step 2 of 2: paused', watchMaxMs)
  await cluster.owned([worker, canary])
  t.match((await cli('rollout', 'get', 'chat')).stdout, /^chat {2}Paused {2}CanaryPauseStep {2}revision 2\n/)
  t.match((await cli('rollout', 'get')).stdout, /\nchat +Paused +CanaryPauseStep +v1 +v2 +50 % /)
  t.match(await cli('rollout', 'status', 'chat'), { code: 1, stdout: /^Paused CanaryPauseStep: / })
  t.match(await cli('rollout', 'report', 'chat'), { code: 1, stderr: 'holdfast: no rollout of chat has ended yet\n' })
  t.match(await cli('rollout', 'promote', 'chat'), { code: 0, stdout: /^chat / })

  t.same(await watch.exited, { code: 0, signal: null })
  const lines = watch.stdout.trimEnd().split('\n')
  t.match(lines.at(-1), /^Healthy RolloutHealthy: v2 has 100 % of 100 %; v2 serves$/)
  t.equal(new Set(lines).size, lines.length, 'a line for each change, and no other')
  t.match(await cli('rollout', 'status', 'chat'), { code: 0, stdout: /^Healthy / })

  const { stdout } = await cli('rollout', 'report', 'chat')
  t.match(stdout, /^# chat: v1 → v2, promoted\n\nRevision 2, attempt 1\. /)
  t.match(stdout, /\n\| 20[-: \d]+ \| RolloutStepCompleted \| 50 % \| 50 % \| /)
  t.match(stdout, /\n- 20[-: \d]+ write:.+@.+: /)
  t.equal((await cli('rollout', 'report', 'chat', '--markdown')).stdout, stdout)
  t.match(JSON.parse((await cli('rollout', 'report', 'chat', '--json')).stdout), {
    name: 'chat',
    revision: 2,
    outcome: 'promoted',
    from: 'v1',
    to: 'v2',
  })
  t.match(await cli('rollout', 'report', 'chat', '--revision', '7'), {
    code: 1,
    stderr: 'holdfast: no report of revision 7, only of 2\n',
  })
})
