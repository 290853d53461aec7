import type { AddressInfo } from 'node:net'
import type { FastifyPluginAsync } from 'fastify'
import { openGround } from '../cluster/ground.ts'
import { runProcess } from '../cluster/process.ts'
import type { Config } from '../config/config.ts'
import { ownClaims } from '../config/own-claims.ts'
import { hostToAnnounce } from '../platform/addresses.ts'
import { openFilesMax } from '../platform/open-files.ts'
import { packageVersion } from '../platform/package-version.ts'
import type { App } from '../protocol/app/contract.ts'
import type { PageOptions } from '../protocol/app/page.ts'
import { buildListener } from './listener/listener.ts'
import { Proxy } from './proxy.ts'

/** How long commands may wait, under load, to go into the log together. */
const commandGatherMs = 8

/** What a proxy takes of the app whose commands it forwards. */
export interface ProxyApp {
  load(): Promise<Pick<App, 'calls'>>
  /** Its demonstration page, a plugin of fastify that signs its users in; wanted in development only. */
  page(): Promise<FastifyPluginAsync<PageOptions>>
}

/** The proxy process: what it stands on, the public listener, the life cycle. */
export async function runProxy(config: Config, app: ProxyApp): Promise<void> {
  await runProcess('proxy', config, async (shell) => {
    const { calls } = await app.load()
    let proxy: Proxy | null = null
    const { env, internal, close } = await openGround(config, shell, {
      ready: () => proxy?.ready ?? 'starting',
      gatherMs: commandGatherMs,
    })
    proxy = new Proxy(env, {
      config,
      calls,
      version: packageVersion,
      pid: process.pid,
      internal,
      files: openFilesMax(),
      ended: shell.stop,
    })
    const listener = await buildListener(proxy, config, env)
    if (config.dev.active) {
      const page = await app.page()
      const { token } = config.client
      const claims = (user: string) => ownClaims(user, token)
      await listener.register(page, { secret: token.hmac_secret_key, claims, dev: true })
    }
    await shell.services.needed(['log'], () => proxy.start())
    await listener.listen({ host: config.http_server.address, port: config.http_server.port })
    const { address, port } = listener.server.address() as AddressInfo
    proxy.listens({ host: hostToAnnounce(address, config.http_server.advertise_address), port })
    shell.logger.info({ id: proxy.id, port }, 'proxy is up')
    return {
      async stop() {
        await proxy.drain()
        await listener.close()
        await close()
      },
    }
  })
}
