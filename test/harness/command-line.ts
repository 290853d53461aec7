/** The command line against a real controller, of a cluster in one process. */
import { writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Test } from 'tap'
import { buildApi } from '../../controller/api/api.ts'
import { holdfast } from '../support/command.ts'
import type { InProcessCluster } from './in-process-cluster.ts'

/** A folder with the token of a cluster that has a worker, and the command in it. */
export async function commandLine(t: Test, cluster: InProcessCluster) {
  const handles = cluster.handles()
  const controller = await cluster.controller(handles)
  const worker = await cluster.worker()
  await cluster.owned([worker])
  const api = buildApi(controller, handles.env, { tokens: { write: 's3cret', read: '' }, hosts: [], workersWanted: 1 })
  await api.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => api.close())
  const cwd = t.testdir({ '.holdfast': { 'controller.token': 's3cret\n' } })
  const env = { HOLDFAST_CONTROLLER_PORT: String((api.server.address() as AddressInfo).port) }
  const write = (name: string, text: string) => writeFileSync(join(cwd, name), text)
  return { cwd, env, write, controller, worker, cli: (...args: string[]) => holdfast(args, cwd, env) }
}
