/** Mistakes in production that the simulation must notice, and how they get there. */
import { registerHooks } from 'node:module'
import { mistakes } from './mistakes.ts'

export interface Edit {
  /** From the project's root. */
  file: string
  from: string
  to: string
}

/**
 * Rules of delivery, each taken away on its own: what the simulation must notice. An edit replaces a piece of the
 * production source as it is loaded, in a simulating process only; a piece that is not there exactly once is an error.
 */
export const mutants: Record<string, Edit[]> = {
  'no fence': [
    {
      file: 'store/embedded/commits.ts',
      from: "'WHERE slot = ? AND token = ? AND next_offset = ?'",
      to: "'WHERE slot = ? AND (token = ? OR true) AND (next_offset = ? OR true)'",
    },
  ],
  'emit before commit': [
    {
      file: 'worker/slot/slot.ts',
      from: '    if ((await this.#commit(plan.commit, items))',
      to: '    this.#outbox.emit(plan.commit.outbox)\n    if ((await this.#commit(plan.commit, items))',
    },
    {
      file: 'worker/slot/slot.ts',
      from: `    this.#outbox.settle(plan.commit)
    this.#outbox.emit(plan.commit.outbox)
`,
      to: '    this.#outbox.settle(plan.commit)\n',
    },
  ],
  'outbox not drained': [{ file: 'worker/slot/slot.ts', from: '    this.#outbox.emit(state.outbox)\n', to: '' }],
  'proxy dedup off': [
    { file: 'proxy/inbox.ts', from: '!isAfter(position, this.#positions.get(slot))', to: 'isAfter === null' },
  ],
  'producer dedup off': [{ file: 'worker/slot/batch.ts', from: 'if (command.n <= known)', to: 'if (known < 0)' }],
  'token reused': [
    {
      file: 'worker/slot/takeover.ts',
      from: 'const token = env.random.hex(16)',
      to: 'const token = seen.token ?? env.random.hex(16)',
    },
  ],
  'token counts': [
    {
      file: 'worker/slot/takeover.ts',
      from: 'const token = env.random.hex(16)',
      to: 'const token = `${slot} ${epoch + 1}`',
    },
  ],
  'warm cache not invalidated': [
    {
      file: 'worker/slot/takeover.ts',
      from: 'else for (const name of channelsOf(touched)) cache.delete(name)',
      to: 'else channelsOf(touched)',
    },
  ],
  'weights ignored': [
    {
      file: 'controller/placement/place-traffic.ts',
      from: 'traffic.filter((each) => each.group === group)',
      to: 'traffic.filter((each) => each.group === `not ${group}`)',
    },
  ],
  'ejection without cap': [
    { file: 'controller/placement/outliers.ts', from: '  if (out + 1 > allowed) return false\n', to: '' },
  ],
  'promote on no data': [
    {
      file: 'controller/rollouts/step.ts',
      from: 'return run?.isMeasured === true && (',
      to: 'return run === undefined || (',
    },
  ],
  'abort to a dead version': [
    {
      file: 'controller/rollouts/step.ts',
      from: '    if (workersOf(state.stable, seen) === 0) return false\n',
      to: '',
    },
  ],
  'two appends outstanding': [
    {
      file: 'log/append-lane.ts',
      from: '      if (!(await this.#deliver())) break\n',
      to: `      const sent = this.#sending
      const ended = this.#appendUntilAcknowledged(sent.map((item) => item.entry)).then((first) => {
        if (typeof first === 'number') sent.forEach((item, index) => item.appended?.(first + index))
      })
      await this.#options.before
      this.#options.before = ended
      this.#sending = []
`,
    },
  ],
}

/** Makes this process load the sources with a mutant or a mistake in them; to be called before they are imported. Returns a check that it did. */
export function install(name: string): () => void {
  const edits = mutants[name] ?? mistakes[name]?.edits
  if (!edits) throw new Error(`no mutant ${name}; there are: ${Object.keys({ ...mutants, ...mistakes }).join(', ')}`)
  return installEdits(name, edits)
}

/** The same for edits that are in no list. */
export function installEdits(name: string, edits: readonly Edit[]): () => void {
  const left = new Set(edits)
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context)
      const mine = edits.filter(({ file }) => url === urlOf(file))
      if (mine.length === 0) return loaded
      let source = Buffer.from(loaded.source as string | Uint8Array).toString()
      for (const edit of mine) {
        if (source.split(edit.from).length !== 2) throw new Error(`${name}: not once in ${edit.file}: ${edit.from}`)
        source = source.replace(edit.from, () => edit.to)
        left.delete(edit)
      }
      return { ...loaded, source }
    },
  })
  return () => {
    for (const { file } of left) throw new Error(`${name}: ${file} was not loaded`)
  }
}

function urlOf(file: string): string {
  return new URL(`../../${file}`, import.meta.url).href
}
