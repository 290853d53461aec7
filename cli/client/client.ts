import { hostname, userInfo } from 'node:os'
import { Pool } from 'undici'
import type { Config } from '../../config/config.ts'
import { findSecret, secretPath } from '../../config/secrets.ts'
import { callerHeader } from '../../controller/api/access.ts'
import type { Finding } from '../../controller/resources/finding.ts'
import type { RolloutReport } from '../../controller/rollouts/report.ts'
import type { RolloutView } from '../../controller/rollouts/view.ts'
import { authority } from '../../platform/addresses.ts'
import { ControllerError } from './errors.ts'
import type { ControllerErrorCode } from './errors.ts'

/** How far a drain is. Pauses are those of the slots that it moved, in milliseconds. */
export interface DrainState {
  /** `drained`: it owns nothing, and nothing of it is under way. */
  state: 'draining' | 'drained'
  /** Slots that it still owns. */
  slots: number
  /** Records that it has read and not committed. */
  in_flight: number
  /** Outbox rows that are not known to be in the log. */
  outbox: number
  /** One for each slot that it handed over. */
  pauses_ms: number[]
}

/** Whether a cluster serves, and of what it consists. */
export interface ClusterStatus {
  /** It takes clients, and every command finds an owner of its slot. */
  ready: boolean
  /** What it is not ready for, in words; null when it is. */
  waits_for: string | null
  /** Of all groups. */
  slots: { total: number; owned: number }
  /** Live ones, of whatever version. */
  workers: number
  /** Version that serves; null before any does. */
  serving: string | null
  /** The controller that answers leads. */
  leader: boolean
  /** Data directory of the `holdfast dev` that runs it; null where something else does. */
  supervisor: string | null
}

/** A version that is wanted or has workers. */
export interface VersionState {
  version: string
  /** Its workers are to run: it serves, is being rolled out, or may have to serve again soon. */
  wanted: boolean
  /** Live ones. */
  workers: number
  /** That it owns. */
  slots: number
}

/** One entry of the audit log. */
export interface AuditView {
  id: number
  /** ISO 8601. */
  time: string
  /** The role of the token, and the name that the caller gave. */
  who: string
  what: string
  target: string
  /** What was there; null where there was nothing. */
  before: unknown
  /** What is there since; null where nothing is. */
  after: unknown
}

/** A resource as the cluster has it. */
export interface ResourceView {
  kind: string
  name: string
  revision: number
  /** ISO 8601, when it was applied. */
  time: string
  /** As it was applied. */
  resource: Record<string, unknown>
}

/** What a resource was. */
export interface PastView {
  revision: number
  /** ISO 8601. */
  time: string
  /** Null where it was deleted. */
  resource: Record<string, unknown> | null
}

/** Which process follows which revision of the configuration. */
export interface ConfigView {
  /** That the leader tells. */
  revision: number
  processes: { id: string; role: string; version: string; revision: number | null; rejected: string | null }[]
}

/** A fault as it was set, and what is left of it. */
export interface FaultView {
  name: string
  stage: string
  match?: Record<string, unknown>
  delay?: { percentage: { value: number }; fixedDelay: string }
  abort?: { percentage: { value: number } }
  kill?: { percentage: { value: number } }
  /** Null for good. */
  left_ms: number | null
}

/** The faults that are set, and which process follows them. */
export interface FaultsView {
  revision: number
  faults: FaultView[]
  processes: { role: string; id: string; revision: number | null; rejected: string | null }[]
}

/** What came of applying, checking or deleting resources. */
export interface AppliedView {
  outcomes: { kind: string; name: string; outcome: string }[]
  findings: Finding[]
}

/** How far a drain of a version is. */
export interface VersionDrainState extends DrainState {
  /** Its workers that are not drained. */
  workers: number
}

/** How a slot group is to be shared among versions, and is, in percent. */
export interface GroupTrafficState {
  group: string
  weight_by: 'slots' | 'traffic'
  slots: number
  /** What one slot is. */
  quantum: number
  /** Slots on their way. */
  moving: number
  versions: {
    version: string
    desired: number
    slots: number
    slots_percent: number
    /** Null where nothing was measured. */
    traffic_percent: number | null
  }[]
}

/** Time that one request to the controller may take. */
const requestTimeoutMs = 5_000

/** An address as a client reaches it: a listener on all interfaces is reached on loopback. */
export function reachableUrl(address: string, port: number): string {
  const host = address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address
  return `http://${authority(host, port)}`
}

/** The controller's API, as the command line and the supervisor use it. Every method throws ControllerError. */
export class ControllerClient {
  readonly #origin: string
  readonly #config: Config
  readonly #pool: Pool

  constructor(config: Config) {
    this.#config = config
    this.#origin = reachableUrl(config.controller.address, config.controller.port)
    this.#pool = new Pool(this.#origin, { headersTimeout: requestTimeoutMs, bodyTimeout: requestTimeoutMs })
  }

  /** One object each, as the API has it. */
  async list(kind: 'workers' | 'slots' | 'proxies'): Promise<Record<string, unknown>[]> {
    return (await this.#request('GET', `/api/v1/${kind}`)) as Record<string, unknown>[]
  }

  /** Asks for it and returns at once; drainState tells how far it is. */
  async drain(id: string, force: boolean): Promise<void> {
    await this.#request('POST', `/api/v1/workers/${encodeURIComponent(id)}/drain`, { force })
  }

  /** Throws `no_drain` when this controller was not asked. */
  async drainState(id: string): Promise<DrainState> {
    return (await this.#request('GET', `/api/v1/workers/${encodeURIComponent(id)}/drain`)) as DrainState
  }

  /** Asks for it and returns at once; versionDrainState tells how far it is. */
  async drainVersion(version: string, force: boolean): Promise<void> {
    await this.#request('POST', `/api/v1/versions/${encodeURIComponent(version)}/drain`, { force })
  }

  /** Throws `no_drain` when this controller was not asked. */
  async versionDrainState(version: string): Promise<VersionDrainState> {
    return (await this.#request('GET', `/api/v1/versions/${encodeURIComponent(version)}/drain`)) as VersionDrainState
  }

  /** How slots are to be shared among versions, and are. */
  async traffic(): Promise<GroupTrafficState[]> {
    return (await this.#request('GET', '/api/v1/traffic')) as GroupTrafficState[]
  }

  /** `to` is `oldest`, `end` or an offset. */
  async resetSlot(slot: string, to: string | number): Promise<void> {
    await this.#request('POST', '/api/v1/slots/reset', { slot, to })
  }

  /** Who changed what, newest first. */
  async audit(limit: number): Promise<AuditView[]> {
    return (await this.#request('GET', `/api/v1/audit?limit=${limit}`)) as AuditView[]
  }

  /** All of a kind. */
  resources(kind: string): Promise<ResourceView[]> {
    return this.#request('GET', `/api/v1/resources/${encodeURIComponent(kind)}`) as Promise<ResourceView[]>
  }

  /** One, with what is to be said of it. Throws `unknown_resource`. */
  resource(kind: string, name: string): Promise<ResourceView & { findings: Finding[] }> {
    return this.#request('GET', resourcePath(kind, name)) as Promise<ResourceView & { findings: Finding[] }>
  }

  /** What one was, the newest first. */
  resourceHistory(kind: string, name: string): Promise<PastView[]> {
    return this.#request('GET', `${resourcePath(kind, name)}/history`) as Promise<PastView[]>
  }

  /** Changes nothing. */
  validate(resources: readonly unknown[]): Promise<AppliedView> {
    return this.#request('POST', '/api/v1/resources/validate', { resources }) as Promise<AppliedView>
  }

  /** All of them or none. Throws `invalid_resource`. */
  apply(resources: readonly unknown[]): Promise<AppliedView> {
    return this.#request('POST', '/api/v1/resources', { resources }) as Promise<AppliedView>
  }

  /** All of them or none; ones that are not there are passed over. Throws `invalid_resource`. */
  deleteResources(names: readonly { kind: string; name: string }[]): Promise<AppliedView> {
    return this.#request('POST', '/api/v1/resources/delete', { names }) as Promise<AppliedView>
  }

  /** What is told to all processes, and which follows what. */
  configured(): Promise<ConfigView> {
    return this.#request('GET', '/api/v1/config') as Promise<ConfigView>
  }

  /** Which are set, and who follows them. */
  faults(): Promise<FaultsView> {
    return this.#request('GET', '/api/v1/faults') as Promise<FaultsView>
  }

  /** Sets one, or another one in its place. */
  setFault(name: string, fault: unknown): Promise<{ revision: number }> {
    return this.#request('PUT', `/api/v1/faults/${encodeURIComponent(name)}`, fault) as Promise<{ revision: number }>
  }

  /** Null for all that were set by themselves. */
  async clearFaults(name: string | null): Promise<{ revision: number; cleared: string[] }> {
    const path = name === null ? '/api/v1/faults' : `/api/v1/faults/${encodeURIComponent(name)}`
    return (await this.#request('DELETE', path)) as { revision: number; cleared: string[] }
  }

  async status(): Promise<ClusterStatus> {
    return (await this.#request('GET', '/api/v1/status')) as ClusterStatus
  }

  versions(): Promise<VersionState[]> {
    return this.#request('GET', '/api/v1/versions') as Promise<VersionState[]>
  }

  async rollouts(): Promise<RolloutView[]> {
    return (await this.#request('GET', '/api/v1/rollouts')) as RolloutView[]
  }

  async rollout(name: string): Promise<RolloutView> {
    return (await this.#request('GET', rolloutPath(name))) as RolloutView
  }

  /** `order` is the last part of its path: promote, pause and so on. Returns how the rollout is then. */
  async orderRollout(name: string, order: string, body: Record<string, unknown>): Promise<RolloutView> {
    return (await this.#request('POST', `${rolloutPath(name)}/${order}`, body)) as RolloutView
  }

  /** The newest first. Throws `no_report` when there is none. */
  async rolloutReports(name: string): Promise<RolloutReport[]> {
    return (await this.#request('GET', `${rolloutPath(name)}/report`)) as RolloutReport[]
  }

  close(): Promise<void> {
    return this.#pool.close()
  }

  async #request(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<unknown> {
    const token = findSecret(this.#config, 'controllerToken')
    const headers = {
      authorization: `Bearer ${token}`,
      // A request that says so and has no body is refused.
      ...(body !== undefined && { 'content-type': 'application/json' }),
      [callerHeader]: callerName(),
    }
    const response = await this.#pool
      .request({ method, path, headers, body: body === undefined ? null : JSON.stringify(body) })
      .catch((error: Error) => this.#unreachable(error))
    const text = await response.body.text()
    if (response.statusCode === 401) throw this.#wrongToken()
    const answer = parseJson(text)
    if (response.statusCode < 300 && answer !== undefined) return answer
    throw refusal(this.#origin, response.statusCode, answer)
  }

  #unreachable(cause: Error): never {
    const advice = 'start the cluster with "holdfast dev", or say where it is with HOLDFAST_CONTROLLER_PORT'
    throw new ControllerError('unreachable', `no controller answers at ${this.#origin}: ${advice}`, { cause })
  }

  #wrongToken(): ControllerError {
    const from = this.#config.controller.token
      ? 'HOLDFAST_CONTROLLER_TOKEN'
      : secretPath(this.#config, 'controllerToken')
    const advice = 'say where the data of this cluster is with HOLDFAST_DATA_DIR'
    return new ControllerError(
      'unauthorized',
      `the controller at ${this.#origin} refuses the token of ${from}: ${advice}`,
    )
  }
}

function resourcePath(kind: string, name: string): string {
  return `/api/v1/resources/${encodeURIComponent(kind)}/${encodeURIComponent(name)}`
}

/** Whoever runs this command, for the audit log. */
function callerName(): string {
  try {
    return `${userInfo().username}@${hostname()}`
  } catch {
    // A user id without a name, as containers have.
    return `${process.getuid?.() ?? ''}@${hostname()}`
  }
}

function rolloutPath(name: string): string {
  return `/api/v1/rollouts/${encodeURIComponent(name)}`
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function refusal(origin: string, status: number, answer: unknown): ControllerError {
  const { code, message } = (answer ?? {}) as { code?: unknown; message?: unknown }
  if (typeof message === 'string')
    return new ControllerError(typeof code === 'string' ? (code as ControllerErrorCode) : 'refused', message)
  return new ControllerError('bad_answer', `${origin} answered with ${status} and no reason: is it a controller?`)
}
