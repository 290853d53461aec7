import { documentBytesMax } from '../../store/document-size.ts'
import type { AuditEntry, Store } from '../../store/store.ts'
import { checkTogether } from './check.ts'
import { ResourceError } from './errors.ts'
import { finding, findingText, isAllowed } from './finding.ts'
import type { Finding } from './finding.ts'
import { keptResources } from './kept.ts'
import type { KeptResource } from './kept.ts'
import { checkResource } from './parse.ts'
import type { ParsedResource } from './parse.ts'
import { planApply, planDelete } from './plan.ts'
import type { Outcome, Plan, Refusal } from './plan.ts'
import type { Query } from './queries.ts'
import { kindOf, resourceId } from './resource.ts'
import type { ResourceKind } from './resource.ts'
import type { World } from './world.ts'

/** What resources need of the controller around them. */
export interface ResourcesGround {
  /** Of the lead that is held. */
  term: () => number
  world: () => World
  /** What stands in the way of one that changes. */
  refusal: Refusal
  /** What is to be said of queries: whoever answers them is asked. */
  ask: (queries: readonly Query[]) => Promise<Finding[]>
  /** Some were written. */
  changed: () => void
}

/** A resource as it was at a revision. */
export interface PastResource {
  revision: number
  time: number
  /** Null where it was deleted. */
  written: Record<string, unknown> | null
}

/** What came of applying or deleting, or would. */
export interface Applied {
  outcomes: Outcome[]
  findings: Finding[]
}

/** Which one, as the API names it. */
export interface ResourceName {
  kind: ResourceKind
  name: string
}

/** How often a change is made anew when something else changes resources at the same time. */
export const changeTriesMax = 3

/** Errors that a refusal tells at most; `validate` tells all. */
const errorsToldMax = 5

/** The resources of the cluster. Reads whatever the store has, writes as the leader. */
export class Resources {
  readonly #store: Store
  readonly #ground: ResourcesGround

  constructor(store: Store, ground: ResourcesGround) {
    this.#store = store
    this.#ground = ground
  }

  /** All of a kind. */
  async list(kind: string): Promise<KeptResource[]> {
    const known = knownKind(kind)
    return (await keptResources(this.#store)).filter((each) => each.kind === known)
  }

  /** One, with what is to be said of it as things are. Throws ResourceError. */
  async describe(kind: string, name: string): Promise<{ kept: KeptResource; findings: Finding[] }> {
    const all = await keptResources(this.#store)
    const kept = all.find((each) => each.kind === knownKind(kind) && each.name === name)
    if (kept === undefined) throw new ResourceError('unknown_resource', `there is no ${knownKind(kind)} ${name}`)
    const understood = all.flatMap(({ resource }) => resource ?? [])
    const id = resourceId({ kind: kept.kind, metadata: { name } })
    const findings = kept.resource
      ? checkTogether(understood, this.#ground.world()).filter(({ resource }) => resource === id)
      : checkResource(kept.written).findings
    return { kept, findings }
  }

  /** What it was, the newest first; of a deleted one too. Throws ResourceError. */
  async history(kind: string, name: string, limit: number): Promise<PastResource[]> {
    const revisions = await this.#store.documentHistory(knownKind(kind), name, limit)
    if (revisions.length === 0)
      throw new ResourceError('unknown_resource', `nothing is known of a ${knownKind(kind)} ${name}`)
    return revisions.map(({ revision, time, body }) => ({
      revision,
      time,
      written: body === null ? null : (JSON.parse(body) as Record<string, unknown>),
    }))
  }

  /** What applying these values would come to. Queries are tried for whoever may apply them: others send nobody anywhere. */
  async validate(values: readonly unknown[], mayApply: boolean): Promise<Applied> {
    const { wanted, findings } = parsed(values)
    const plan = this.#planApply(await keptResources(this.#store), wanted)
    const said = mayApply ? await this.#ground.ask(plan.queries) : []
    return { outcomes: plan.outcomes, findings: [...findings, ...plan.findings, ...said] }
  }

  /** All of them or none. Throws ResourceError, and StoreError. */
  async apply(values: readonly unknown[], who: string): Promise<Applied> {
    const { wanted, findings } = parsed(values)
    if (!isAllowed(findings)) throw refused(findings)
    // Asked once, however often the change is made anew: the store is not held meanwhile.
    let said: Finding[] | null = null
    return this.#change(who, 'apply', async (kept) => {
      const plan = this.#planApply(kept, wanted)
      if (!isAllowed(plan.findings)) return plan
      said ??= await this.#ground.ask(plan.queries)
      return { ...plan, findings: [...plan.findings, ...said] }
    })
  }

  /** All of them or none; ones that are not there are passed over. Throws ResourceError, and StoreError. */
  async delete(names: readonly ResourceName[], who: string): Promise<Applied> {
    return this.#change(who, 'delete', async (kept) => planDelete(kept, names, this.#ground.world()))
  }

  #planApply(kept: readonly KeptResource[], wanted: readonly ParsedResource[]): Plan {
    return planApply(kept, wanted, this.#ground.world(), this.#ground.refusal)
  }

  async #change(who: string, what: string, planOf: (kept: readonly KeptResource[]) => Promise<Plan>): Promise<Applied> {
    for (let tries = 1; tries <= changeTriesMax; tries += 1) {
      const kept = await keptResources(this.#store)
      const { outcomes, findings, writes } = await planOf(kept)
      if (!isAllowed(findings)) throw refused(findings)
      if (writes.length === 0) return { outcomes, findings }
      const audit = auditOf(who, what, kept, writes)
      const result = await this.#store.putDocuments({ writes, term: this.#ground.term(), audit })
      if (result === 'fenced') throw new ResourceError('not_leading', 'another controller leads by now, try again')
      if (result === 'conflict') continue
      this.#ground.changed()
      return { outcomes, findings }
    }
    throw new ResourceError('changed_meanwhile', 'resources were changed at the same time, try again')
  }
}

/** The kind that a person means. Throws ResourceError. */
export function knownKind(kind: string): ResourceKind {
  const known = kindOf(kind)
  if (known === undefined)
    throw new ResourceError('unknown_kind', `there are no resources of the kind ${kind.slice(0, 100)}`)
  return known
}

function parsed(values: readonly unknown[]): { wanted: ParsedResource[]; findings: Finding[] } {
  const wanted: ParsedResource[] = []
  const findings: Finding[] = []
  for (const value of values) {
    const checked = checkResource(value)
    findings.push(...checked.findings)
    if (checked.parsed === null) continue
    const id = resourceId(checked.parsed.resource)
    if (wanted.some(({ resource }) => resourceId(resource) === id))
      findings.push(finding('HFT0008', id, [], 'stands there twice'))
    else wanted.push(checked.parsed)
  }
  return { wanted, findings }
}

function refused(findings: readonly Finding[]): ResourceError {
  const errors = findings.filter(({ severity }) => severity === 'error')
  const told = errors.slice(0, errorsToldMax).map(findingText)
  const left = errors.length - told.length
  return new ResourceError('invalid_resource', [...told, ...(left > 0 ? [`and ${left} more`] : [])].join('; '))
}

function auditOf(who: string, what: string, kept: readonly KeptResource[], writes: Plan['writes']): AuditEntry {
  const ids = writes.map(({ kind, name }) => `${kind}/${name}`)
  const before = writes.map(
    (write) => kept.find(({ kind, name }) => kind === write.kind && name === write.name)?.written,
  )
  const after = writes.map(({ body }) => (body === null ? undefined : (JSON.parse(body) as unknown)))
  return { who, what, target: targetOf(ids), before: textOf(ids, before), after: textOf(ids, after) }
}

/** What a store holds as a target. */
const targetLengthMax = 200

function targetOf(ids: readonly string[]): string {
  const text = ids.join(' ')
  return text.length <= targetLengthMax ? text : `${ids[0]!.slice(0, targetLengthMax - 20)} and ${ids.length - 1} more`
}

/** By name; names alone where that would be too much: the documents have their history. */
function textOf(ids: readonly string[], values: readonly unknown[]): string | null {
  const there = ids.flatMap((id, index) => (values[index] === undefined ? [] : [[id, values[index]] as const]))
  if (there.length === 0) return null
  const text = JSON.stringify(Object.fromEntries(there))
  return Buffer.byteLength(text) <= documentBytesMax ? text : JSON.stringify(there.map(([id]) => id))
}
