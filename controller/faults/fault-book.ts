import type { StoreEnv } from '../../cluster/env.ts'
import { Mutex } from '../../platform/mutex.ts'
import { faultsMax } from '../../protocol/records/fault.ts'
import type { Fault } from '../../protocol/records/fault.ts'
import { StoreError } from '../../store/errors.ts'
import type { AuditEntry, Document, DocumentWrite } from '../../store/store.ts'
import type { Events } from '../events/events.ts'
import type { Hints } from '../leading/hints.ts'
import type { CurrentResources } from '../resources/current.ts'
import { FaultError } from './errors.ts'
import { routeFaults } from './route-faults.ts'
import { readFault, writtenFault } from './rule.ts'
import type { KeptFault } from './rule.ts'

/** What is kept in the store: each fault that was set by itself, and what the revision of all of them hangs on. */
const faultKind = 'Fault'
const configDocument = { kind: 'Config', name: 'current' } as const

/**
 * Who writes in place of the leader is answered after so long, ms: until then people can see who rejects it, and nobody can
 * make the leader write for every record.
 */
export const retellMs = 5_000

/** How faults are limited in this cluster, and where it is told that they change. */
export interface FaultBookOptions {
  events: Events
  resources: Pick<CurrentResources, 'read'>
  /** They may be set. */
  areOn: boolean
  /** Each must end by itself. */
  mustExpire: boolean
}

/** A fault that is set, for whoever looks. */
export interface SetFault {
  fault: ReturnType<typeof writtenFault>
  /** What is left of it, ms; null for good. */
  leftMs: number | null
}

/** Where a fault is kept, and until when it is set by the monotonic clock. */
interface Entry {
  kept: KeptFault
  /** Null for one of a route, which goes with its resource. */
  document: Document | null
  endsAt: number
}

/**
 * The faults of the cluster, as the leading controller keeps and distributes them. They are documents in the store; every
 * process is told of all of them together, with what is left of their time.
 */
export class FaultBook {
  readonly #env: StoreEnv
  readonly #hints: Hints
  readonly #options: FaultBookOptions
  #entries: Entry[] = []
  /** Of the document of the configuration; 0 before the first. */
  #revision = 0
  #term = 0
  /** What was said last, so that it is said again only when it is other. */
  #said = ''
  /** Monotonic ms since which the log has another configuration than the leader's; null while it has that. */
  #foreignSince: number | null = null
  #isStale = true
  /** One change at a time: each goes on from what the one before it left. */
  readonly #turn = new Mutex()

  constructor(env: StoreEnv, hints: Hints, options: FaultBookOptions) {
    this.#env = env
    this.#hints = hints
    this.#options = options
  }

  /** What processes are to acknowledge. */
  get revision(): number {
    return this.#revision
  }

  /** Whether any may be set here. */
  get areOn(): boolean {
    return this.#options.areOn
  }

  /** What is set, as the leader knows it. */
  get set(): SetFault[] {
    const now = this.#env.clock.monotonic()
    return this.#entries.map(({ kept, endsAt }) => ({
      fault: writtenFault(kept),
      leftMs: endsAt === Infinity ? null : Math.max(0, Math.round(endsAt - now)),
    }))
  }

  /** The store may hold others: they are looked at with the next look. */
  changed(): void {
    this.#isStale = true
  }

  /** The log has this configuration, or one that cannot be read (null). */
  heard(told: { term: number; revision: number } | null): void {
    if (told?.term === this.#term && told.revision === this.#revision) this.#foreignSince = null
    else this.#foreignSince ??= this.#env.clock.monotonic()
  }

  /** To be called by the leader again and again: what is over goes, what changed is told. */
  look(term: number): Promise<void> {
    return this.#turn.run(() => this.#look(term))
  }

  async #look(term: number): Promise<void> {
    if (term !== this.#term) {
      this.#term = term
      this.#said = ''
      this.#isStale = true
      // What was there before is not ours; what this term has to tell may come first.
      if (this.#foreignSince !== null) this.#foreignSince = this.#env.clock.monotonic()
    }
    if (this.#isStale) await this.#load()
    const now = this.#env.clock.monotonic()
    const over = this.#entries.filter(({ endsAt }) => endsAt <= now)
    if (over.length > 0) await this.#expire(over)
    await this.#tell()
    if (this.#foreignSince === null || now - this.#foreignSince < retellMs) return
    this.#env.logger.warn({ revision: this.#revision }, 'the log has another configuration than ours: it is told again')
    this.#foreignSince = null
    this.#send()
  }

  /** Sets a fault, or another one in its place. Resolves with the revision that has it. Throws FaultError, StoreError. */
  async put(name: string, written: unknown, who: string): Promise<number> {
    const { areOn, mustExpire } = this.#options
    if (!areOn) throw new FaultError('faults_off', 'faults may not be set here: faults.enabled is off')
    const kept = readFault(name, written)
    if (mustExpire && kept.lastsMs === null)
      throw new FaultError('expiry_required', `Fault/${name}: outside of holdfast dev it must have expiresAfter`)
    return this.#turn.run(() => this.#put(name, kept, who))
  }

  async #put(name: string, kept: KeptFault, who: string): Promise<number> {
    await this.#load()
    const before = this.#entryOf(name)
    if (before === undefined && this.#entries.length >= faultsMax)
      throw new FaultError('too_many_faults', `${faultsMax} faults are set, which is the most`)
    const write = { kind: faultKind, name, seen: before?.document?.revision ?? 0, body: JSON.stringify(kept) }
    const target = `Fault/${name}`
    const revision = await this.#write([write], { who, what: 'fault set', target, ...bodies(before?.kept, kept) })
    this.#options.events.publish('fault', { name, is_set: true, who })
    return revision
  }

  /** Clears one fault, or all that are set by themselves. Resolves with the revision and their names. */
  clear(name: string | null, who: string): Promise<{ revision: number; cleared: string[] }> {
    return this.#turn.run(() => this.#clear(name, who))
  }

  async #clear(name: string | null, who: string): Promise<{ revision: number; cleared: string[] }> {
    await this.#load()
    const gone = this.#entries.filter(({ kept, document }) => document && (name === null || kept.rule.name === name))
    if (gone.length === 0 && name !== null) throw new FaultError('unknown_fault', `no fault ${name} is set`)
    if (gone.length === 0) return { revision: this.#revision, cleared: [] }
    const target = name === null ? 'all faults' : `Fault/${name}`
    const revision = await this.#write(gone.map(deletionOf), { who, what: 'fault cleared', target, ...auditOf(gone) })
    this.#tellGone(gone, who)
    return { revision, cleared: gone.map(({ kept }) => kept.rule.name) }
  }

  async #expire(over: Entry[]): Promise<void> {
    const names = over.map(({ kept }) => kept.rule.name)
    this.#env.logger.info({ faults: names }, 'faults are over')
    const kept = over.filter(({ document }) => document !== null)
    // One of a route stays in its resource: it is only told no more.
    this.#entries = this.#entries.filter((entry) => !over.includes(entry))
    if (kept.length > 0 && !(await this.#forget(kept))) return
    this.#tellGone(over, 'controller')
  }

  /** False when somebody else has changed them meanwhile: they are looked at again. */
  async #forget(kept: Entry[]): Promise<boolean> {
    const target = kept.map((entry) => `Fault/${entry.kept.rule.name}`).join(' ')
    const audit = { who: 'controller', what: 'fault over', target, ...auditOf(kept) }
    try {
      await this.#write(kept.map(deletionOf), audit)
      return true
    } catch (error) {
      if (!(error instanceof FaultError)) throw error
      this.#isStale = true
      return false
    }
  }

  #tellGone(gone: Entry[], who: string): void {
    for (const { kept } of gone) this.#options.events.publish('fault', { name: kept.rule.name, is_set: false, who })
  }

  async #write(writes: DocumentWrite[], audit: AuditEntry | null): Promise<number> {
    this.#isStale = true
    const config = { ...configDocument, seen: this.#revision, body: '{}' }
    const result = await this.#env.store.putDocuments({ writes: [...writes, config], term: this.#term, audit })
    if (result === 'fenced') throw new FaultError('not_leading', 'another controller leads by now, try again')
    if (result === 'conflict')
      throw new FaultError('changed_meanwhile', 'the faults were changed at the same time, try again')
    await this.#load()
    this.#send()
    return this.#revision
  }

  async #load(): Promise<void> {
    const { store, clock, logger } = this.#env
    const now = clock.monotonic()
    const [kept, resources, configs] = await Promise.all([
      store.documents(faultKind),
      this.#options.resources.read(now),
      store.documents(configDocument.kind),
    ])
    const known = new Map(this.#entries.map((entry) => [entryKey(entry), entry]))
    const entries: Entry[] = []
    for (const document of kept)
      entries.push(this.#entry(JSON.parse(document.body) as KeptFault, document, document, now))
    for (const service of resources.kept) {
      if (service.resource?.kind !== 'VirtualService') continue
      const { faults, skipped } = routeFaults(service.name, service.resource.spec)
      for (const fault of faults) entries.push(this.#entry(fault, null, service, now))
      for (const reason of skipped) logger.warn({ virtualService: service.name, reason }, 'a fault of a route is none')
    }
    this.#entries = entries
      .map((entry) => known.get(entryKey(entry)) ?? entry)
      .filter((entry) => this.#options.areOn && (entry.document !== null || entry.endsAt > now))
      .slice(0, faultsMax)
    this.#revision = configs.find(({ name }) => name === configDocument.name)?.revision ?? 0
    this.#isStale = false
  }

  /** How long it has been set is known by the clock of the store, which may be wrong: it counts for no more than all. */
  #entry(kept: KeptFault, document: Document | null, { time }: Pick<Document, 'time'>, now: number): Entry {
    const { lastsMs } = kept
    const isForGood = lastsMs === null && (document !== null || !this.#options.mustExpire)
    if (isForGood) return { kept, document, endsAt: Infinity }
    // A route's fault that must end and does not say when has ended.
    const lasts = lastsMs ?? 0
    const elapsed = Math.min(Math.max(0, this.#env.clock.now() - time), lasts)
    return { kept, document, endsAt: now + lasts - elapsed }
  }

  #entryOf(name: string): Entry | undefined {
    return this.#entries.find(({ kept, document }) => document !== null && kept.rule.name === name)
  }

  /** Tells everybody when that is other than what was said: after a new term begins, and after routes changed. */
  async #tell(): Promise<void> {
    const said = this.#text()
    if (said === this.#said) return
    const isFirst = this.#said === ''
    if (isFirst && this.#revision > 0) return this.#send()
    if (isFirst && this.#entries.length === 0) return void (this.#said = said)
    await this.#write([], null).catch((error: unknown) => {
      if (error instanceof FaultError || error instanceof StoreError) this.#isStale = true
      else throw error
    })
  }

  #send(): void {
    const now = this.#env.clock.monotonic()
    const faults = this.#entries.map(({ kept: { rule }, endsAt }): Fault => {
      return endsAt === Infinity ? rule : { ...rule, leftMs: Math.max(0, endsAt - now) }
    })
    this.#hints.send({ type: 'config', term: this.#term, revision: this.#revision, faults })
    this.#options.events.publish('config', { revision: this.#revision, faults: faults.length })
    this.#said = this.#text()
  }

  #text(): string {
    return JSON.stringify(this.#entries.map(({ kept }) => kept))
  }
}

/** The same fault, set at the same time, goes on with the time that it has. */
function entryKey({ kept, document }: Entry): string {
  return `${document?.revision ?? 'route'} ${JSON.stringify(kept)}`
}

function deletionOf({ document }: Entry): DocumentWrite {
  const { kind, name, revision } = document!
  return { kind, name, seen: revision, body: null }
}

function bodies(before: KeptFault | undefined, after: KeptFault): Pick<AuditEntry, 'before' | 'after'> {
  return {
    before: before ? JSON.stringify(writtenFault(before)) : null,
    after: JSON.stringify(writtenFault(after)),
  }
}

function auditOf(gone: Entry[]): Pick<AuditEntry, 'before' | 'after'> {
  return { before: JSON.stringify(gone.map(({ kept }) => writtenFault(kept))), after: null }
}
