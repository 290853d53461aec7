import { registerHooks } from 'node:module'

/** What our code can be loaded without: the stages at which faults strike, or what workers count for an analysis. */
export type Part = 'stages' | 'counting'

/** One place in a file, named from the root of the project, that is taken out of it. */
export interface Cut {
  file: string
  from: string
  to: string
}

/** Each part is all of its calls: without them nothing of it runs. */
export const cuts: Record<Part, Cut[]> = {
  stages: [
    {
      file: 'proxy/commands/intake.ts',
      from: `    if (intake.struck === null && this.#env.faults.isSet) this.#meetFaults(session, command)
    if (intake.struck?.isWaiting) return false
`,
      to: '',
    },
    {
      file: 'proxy/commands/intake.ts',
      from: `    const abort = intake.struck?.strike.abort ?? null
    const fault = intake.struck?.strike.fault
    intake.struck = null
    if (abort === null) this.#then.perform(session, command)
    else if (abort.wsCloseCode !== undefined)
      this.#then.close(session, { code: abort.wsCloseCode, reason: \`fault \${fault}\` })
    else if ('id' in command) this.#then.refuse(session, command.id, injectedError(abort.code, \`fault \${fault}\`))
`,
      to: '    this.#then.perform(session, command)\n',
    },
    {
      file: 'proxy/sessions/output.ts',
      from: '    if (this.#env.faults.isSet) this.#meetFaults(session, {})\n',
      to: '',
    },
    {
      file: 'proxy/sessions/output.ts',
      from: '      if (this.#env.faults.isSet) this.#meetFaults(session, this.#options.placeOf(audience.name))\n',
      to: '',
    },
    {
      file: 'proxy/uplink/slot-uplink.ts',
      from: '      trying: (items) => (env.faults.isSet ? this.#struck(slot, items) : null),\n',
      to: '',
    },
    {
      file: 'worker/slot/slot.ts',
      from: 'refused: await this.#faults.afterPoll(items) }',
      to: 'refused: new Map() }',
    },
    { file: 'worker/slot/slot.ts', from: '() => this.#faults.asked(request)', to: 'request' },
    { file: 'worker/slot/prepare.ts', from: '() => faults.asked(request)', to: 'request' },
    { file: 'worker/slot/commit.ts', from: '      await faults.beforeCommit(items)\n', to: '' },
    {
      file: 'worker/slot/commit.ts',
      from: 'await faults.asked(() => env.store.commit(change))',
      to: 'await env.store.commit(change)',
    },
    { file: 'worker/slot/commit.ts', from: '      await faults.afterCommit(items)\n', to: '' },
    {
      file: 'worker/slot/commit.ts',
      from: '() => faults.asked(() => env.store.lease(change.slot))',
      to: '() => env.store.lease(change.slot)',
    },
    {
      file: 'worker/emit/reads.ts',
      from: `    if (faults.isSet) {
      const request = { channel: query.channel, group: parseSlot(slot).group, version: this.#options.version }
      await faults.request('db', [request], slot, (message) => new StoreError('unavailable', message))
    }
`,
      to: '',
    },
  ],
  counting: [
    {
      file: 'worker/slot/prepare.ts',
      from: '    counters.handled({ app, state, commands, outcomes, tookMs: env.clock.monotonic() - startedAt })\n',
      to: '',
    },
    {
      file: 'worker/slot/slot.ts',
      from: `    const rooms = commandsOf(items).flatMap(({ request, command }) => (request === null ? [command.channel] : []))
    if (rooms.length > 0) counters.committed(rooms, env.clock.monotonic() - startedAt)
`,
      to: '',
    },
    {
      file: 'worker/worker.ts',
      from: '      counters: this.#counters.work,\n      rooms: this.#counters.takeRooms(),\n',
      to: '',
    },
  ],
}

const root = new URL('../', import.meta.url).href

/** A module's text without a part. Throws when the part is not where it was. */
export function cut(part: Part, file: string, text: string): string {
  return cuts[part]
    .filter((each) => each.file === file)
    .reduce((left, { from, to }) => {
      const pieces = left.split(from)
      if (pieces.length !== 2) throw new Error(`${file} has ${pieces.length - 1} of: ${from.trim()}`)
      return pieces.join(to)
    }, text)
}

/**
 * From now on a module of ours that is imported as `FILE?copy=NAME&without=PART` is loaded anew under that name, and so is
 * all of ours that it imports. Without a part it is the code as it is.
 */
export function loadCopies(): void {
  registerHooks({
    resolve(specifier, context, next) {
      const resolved = next(specifier, context)
      const { search } = new URL(context.parentURL ?? root)
      const isOurs = resolved.url.startsWith(root) && !resolved.url.includes('/node_modules/')
      return isOurs && search !== '' && !resolved.url.includes('?')
        ? { ...resolved, url: resolved.url + search }
        : resolved
    },
    load(url, context, next) {
      const loaded = next(url, context)
      const { href, searchParams } = new URL(url)
      const part = searchParams.get('without')
      if (part === null || !isPart(part) || !loaded.source) return loaded
      const file = href.slice(root.length, href.indexOf('?'))
      return { ...loaded, source: cut(part, file, Buffer.from(loaded.source as Uint8Array).toString()) }
    },
  })
}

function isPart(text: string): text is Part {
  return Object.hasOwn(cuts, text)
}
