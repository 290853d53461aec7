import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { run } from '../support/command.ts'
import type { Outcome } from '../support/command.ts'
import { cleanEnvironment } from '../support/process.ts'
import { contextDirectory, environmentOf, listOf, readDockerfile, textsOf } from './dockerfile.ts'
import type { Stage } from './dockerfile.ts'

/** A process whose output can be read. */
export type Started = ChildProcessByStdio<null, Readable, Readable>

/**
 * The image as far as it can be had without an engine: a folder that holds exactly what the Dockerfile copies and makes,
 * and processes that start there with its commands and its environment.
 */
export class Image implements Disposable {
  /** Stands for `/` of the image. */
  readonly root: string
  readonly #stage: Stage
  readonly #started: Started[] = []

  private constructor(root: string, stage: Stage) {
    this.root = root
    this.#stage = stage
  }

  /** Follows the Dockerfile. Rejects with the output of a command that fails. */
  static async build(): Promise<Image> {
    const top = mkdtempSync(join(tmpdir(), 'holdfast-image-'))
    const stages = readDockerfile()
    try {
      for (const stage of stages) await follow(stage, join(top, stage.name || 'image'), top)
    } catch (error) {
      rmSync(top, { recursive: true, force: true })
      throw error
    }
    return new Image(join(top, 'image'), stages.at(-1)!)
  }

  /** The folder that its processes start in. */
  get workingDirectory(): string {
    return join(this.root, textsOf(this.#stage, 'WORKDIR')[0]!)
  }

  /** Every file below the working directory. */
  files(): string[] {
    return readdirSync(this.workingDirectory, { recursive: true, encoding: 'utf8' }).toSorted()
  }

  /** What `docker run IMAGE …args` would start; without arguments, its own command. */
  command(args: readonly string[] = listOf(this.#stage, 'CMD')): string[] {
    return this.here([...listOf(this.#stage, 'ENTRYPOINT'), ...args])
  }

  get healthCheck(): string[] {
    return this.here(listOf(this.#stage, 'HEALTHCHECK'))
  }

  /** A command line of the image with what is only there translated. */
  here([command = '', ...args]: readonly string[]): string[] {
    return [command === 'node' ? process.execPath : command, ...args.map((arg) => this.#path(arg))]
  }

  /** Its variables, and those of the container, which win. Names that are only good inside of it are translated. */
  environment(container: Record<string, string> = {}): NodeJS.ProcessEnv {
    const own = Object.entries(environmentOf(this.#stage)).map(([name, value]) => [name, this.#path(value)])
    // What a read-only container may write to.
    const temporary = join(this.root, 'tmp')
    mkdirSync(temporary, { recursive: true })
    return { ...cleanEnvironment(), TMPDIR: temporary, ...Object.fromEntries(own), ...container }
  }

  /** Starts a long-lived process as a container would. It ends with the image at the latest. */
  start(args: readonly string[], container: Record<string, string>): Started {
    const [command = '', ...rest] = this.command(args)
    const child = spawn(command, rest, {
      cwd: this.workingDirectory,
      env: this.environment(container),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#started.push(child)
    return child
  }

  /** Runs a command to its end. */
  run([command = '', ...args]: string[], container: Record<string, string> = {}): Promise<Outcome> {
    return run(command, args, { cwd: this.workingDirectory, env: this.environment(container) })
  }

  [Symbol.dispose](): void {
    for (const child of this.#started) child.kill('SIGKILL')
    rmSync(dirname(this.root), { recursive: true, force: true, maxRetries: 5 })
  }

  #path(text: string): string {
    return text.startsWith('/') ? join(this.root, text) : text
  }
}

/** Does what one stage says, in a folder that stands for its `/`. `top` holds those of the stages before. */
async function follow(stage: Stage, root: string, top: string): Promise<void> {
  let directory = root
  for (const { name, text } of stage.instructions) {
    if (name === 'WORKDIR') mkdirSync((directory = join(root, text)), { recursive: true })
    else if (name === 'COPY') copy(text, directory, top)
    else if (name === 'RUN') await runLine(text, root, directory)
  }
}

function copy(text: string, directory: string, top: string): void {
  const words = text.split(' ')
  const from = words[0]?.startsWith('--from=') ? join(top, words.shift()!.slice('--from='.length)) : contextDirectory
  const target = words.pop()!
  for (const source of words) {
    // Into a folder under its own name; any other copy is the folder's content, as Docker has it.
    const to = target.endsWith('/') ? join(directory, target, source) : join(directory, target)
    cpSync(join(from, source), to, { recursive: true })
  }
}

/** Absolute paths are those of the image, and its user is whoever runs the tests. */
async function runLine(text: string, root: string, directory: string): Promise<void> {
  const line = text
    .replaceAll(/(?<= )\//g, `${root}/`)
    .replaceAll('node:node', `${process.getuid?.()}:${process.getgid?.()}`)
  const { code, stdout, stderr } = await run('sh', ['-c', line], {
    cwd: directory,
    // npm takes what it has seen before from its cache.
    env: { ...cleanEnvironment(), npm_config_prefer_offline: 'true', npm_config_update_notifier: 'false' },
  })
  if (code !== 0) throw new Error(`RUN ${text} ended with ${code}:\n${stdout}${stderr}`)
}
