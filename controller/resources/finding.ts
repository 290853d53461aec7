/** Rules that resources are held to. An error refuses; a warning is said. Docs, API and command line have them from here. */
export const rules = {
  HFT0001: [
    'error',
    'The text is no YAML or JSON that can be read, or is too large, too deep or has too many aliases.',
  ],
  HFT0002: ['error', 'Not a resource of `holdfast.dev/v1`: `apiVersion` or `kind` is missing or another one.'],
  HFT0003: ['error', 'A field that nobody knows; the message names the nearest.'],
  HFT0004: ['error', 'A field of Istio or Argo Rollouts that Holdfast lacks; the message says what to use instead.'],
  HFT0005: ['error', 'A field that must be there is missing.'],
  HFT0006: ['error', 'A value of the wrong type, or one that is not allowed.'],
  HFT0007: ['error', 'Exactly one of some fields must be there.'],
  HFT0008: ['error', 'The same resource, or the same name in a list, stands there twice.'],
  HFT0101: ['warning', 'A subset has no live worker.'],
  HFT0102: ['warning', 'A weight cannot be had with so few slots; the message says the nearest that can.'],
  HFT0103: ['error', 'Ranges of compatibility do not overlap, or one is empty.'],
  HFT0104: ['error', 'A subset that the DestinationRule does not have.'],
  HFT0105: ['error', 'The weights of a route add up to 0.'],
  HFT0106: ['warning', 'A route that is never reached: one before it holds everywhere.'],
  HFT0107: ['error', 'A match of namespaces that are not whole slot groups: give them a group of their own.'],
  HFT0108: ['warning', 'A match that no slot group fits.'],
  HFT0109: ['error', 'There can be one VirtualService, and one DestinationRule: they are all about the same workers.'],
  HFT0201: ['error', 'A fault does nothing, or not at its stage.'],
  HFT0202: ['error', 'A fault without expiry outside `holdfast dev`.'],
  HFT0203: ['error', 'Faults are off here (`faults.enabled`).'],
  HFT0301: ['error', 'An AnalysisTemplate that does not exist.'],
  HFT0302: ['warning', 'A query looks back over less than four scrapes of Prometheus (15 s each).'],
  HFT0303: ['error', 'An argument of a template has no value, or a query names one that the template lacks.'],
  HFT0304: [
    'error',
    'A condition that is not understood, is missing where the provider needs one, or stands where it takes none.',
  ],
  HFT0305: [
    'error',
    'A Prometheus refuses a query: it does not parse, or gives neither a vector nor a scalar. Asked when a template or a Rollout is applied.',
  ],
  HFT0306: [
    'warning',
    'A query could not be tried: nothing at its address answers as a Prometheus does, or it cannot say right now. An analysis that cannot ask is never a success.',
  ],
  HFT0307: ['warning', 'A query without arguments that finds no series right now.'],
  HFT0401: ['error', 'Two Rollouts manage the same route.'],
  HFT0402: ['error', 'A Rollout names a VirtualService or a route that does not exist.'],
  HFT0403: ['error', 'The canary of a Rollout is its own stable subset.'],
  HFT0404: ['error', 'The resource is still needed by another one.'],
  HFT0405: ['error', 'The Rollout is in the middle of something that this would cut across.'],
} as const satisfies Record<string, readonly ['error' | 'warning', string]>

/** Code of a rule. */
export type RuleCode = keyof typeof rules

/** What is wrong with a resource, or what somebody should know of it. */
export interface Finding {
  code: RuleCode
  /** An error refuses the resource. */
  severity: 'error' | 'warning'
  /** `Kind/name`, as far as it is known; empty for a text that is none. */
  resource: string
  /** Where in it: `spec.ws[0].route`; empty for the whole. */
  path: string
  /** One line. */
  message: string
  /** Line of its source, from 1, where that is known. */
  line?: number
}

/** Steps from a resource to one of its fields. */
export type Path = readonly (string | number)[]

/** As people write it. */
export function pathText(path: Path): string {
  return path
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`))
    .join('')
    .replace(/^\./, '')
}

/** A finding of a rule. */
export function finding(code: RuleCode, resource: string, path: Path, message: string): Finding {
  return { code, severity: rules[code][0], resource, path: pathText(path), message }
}

/** As one line for a person. */
export function findingText({ code, severity, resource, path, message, line }: Finding): string {
  const where = [resource, path].filter((part) => part !== '').join(' ')
  return `${severity} ${code}${where === '' ? '' : ` ${where}`}${line === undefined ? '' : ` (line ${line})`}: ${message}`
}

/** True when nothing refuses. */
export function isAllowed(findings: readonly Finding[]): boolean {
  return findings.every(({ severity }) => severity !== 'error')
}

/** Rules that a resource breaks by what is not there: files by themselves cannot know it. */
const referenceRules: readonly RuleCode[] = ['HFT0301', 'HFT0402']

/** What can be said of resources whose cluster is not known. */
export function withoutReferences(findings: readonly Finding[]): Finding[] {
  return findings.filter(({ code }) => !referenceRules.includes(code))
}
