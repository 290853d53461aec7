/**
 * Proves that a proxy counts publishes, errors and latency by the version of the worker that handled them, and that a
 * change of version shows.
 */
import t from 'tap'
import { errors } from '../../protocol/client/codes.ts'
import { InProcessCluster } from '../harness/in-process-cluster.ts'

void t.test('counts by version, before and after another one takes over', async (t) => {
  await using cluster = new InProcessCluster()
  await cluster.controller()
  const v1 = await cluster.worker({ version: 'v1' })
  const handles = cluster.handles()
  const proxy = await cluster.proxy({ handles })
  await cluster.owned([v1])
  const client = await cluster.client(proxy)
  await client.subscribe('room')
  await client.publish('room', 1)
  await client.chatSend('room', 2, 'key')
  const refused = await client.chatSend('room', 3, 'key')
  t.match(refused.error, errors.badRequest)

  const v2 = await cluster.worker({ version: 'v2' })
  v1.kill()
  await cluster.owned([v2])
  await client.publish('room', 4)

  const text = await handles.env.metrics.registry.metrics()
  t.match(text, /^holdfast_published_total\{destination_version="v1"\} 2$/m)
  t.match(text, /^holdfast_published_total\{destination_version="v2"\} 1$/m)
  t.match(text, /^holdfast_commands_total\{method="chat.send",destination_version="v1",result="107"\} 1$/m)
  t.match(text, /^holdfast_command_duration_seconds_count\{method="publish",destination_version="v2",result="ok"\} 1$/m)
})
