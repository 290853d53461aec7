import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { EngineConnection } from '../../engine/connection.ts'
import { EmbeddedLog } from '../../log/embedded/embedded-log.ts'
import type { Log } from '../../log/log.ts'
import { embeddedStore } from '../../store/embedded/embedded-store.ts'
import type { Store } from '../../store/store.ts'
import { cleanEnvironment } from '../support/process.ts'

const program = fileURLToPath(new URL('engine-process.ts', import.meta.url))

/** A data directory that goes with the test. */
export async function temporaryDirectory(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-test-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** A real engine in a process of its own, which ends with the test at the latest. */
export class EngineChild {
  readonly dataDir: string
  #child: ChildProcess

  private constructor(dataDir: string, child: ChildProcess) {
    this.dataDir = dataDir
    this.#child = child
  }

  /** `options` are those of engine-process.ts. */
  static async start(t: Test, dataDir: string, options: readonly string[] = []): Promise<EngineChild> {
    const child = spawn(process.execPath, [program, dataDir, ...options], {
      env: cleanEnvironment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const engine = new EngineChild(dataDir, child)
    t.teardown(() => engine.end('SIGKILL'))
    const [said] = (await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])) as [unknown]
    if (!(said instanceof Buffer)) throw new Error(`the engine ended before it was up: ${String(said)}`)
    return engine
  }

  /** Resolves when the process is gone. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.kill(signal)
    await exited
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }
}

/** A log on a connection of its own, as another process would have it. */
export function openEmbeddedLog(t: Test, dataDir: string): Log {
  const connection = new EngineConnection(dataDir)
  t.teardown(() => connection.close())
  return new EmbeddedLog(connection, () => connection.close())
}

/** A store on a connection of its own, as another process would have it. */
export function openEmbeddedStore(t: Test, dataDir: string): Store {
  const connection = new EngineConnection(dataDir)
  t.teardown(() => connection.close())
  return embeddedStore(connection, () => connection.close())
}
