import type { TSchema } from 'typebox'
import { Type } from '../../schema/type.ts'
import { analysisTemplateSpec } from './analysis-template.ts'
import type { AnalysisTemplateResourceSpec } from './analysis-template.ts'
import { destinationRuleSpec } from './destination-rule.ts'
import type { DestinationRuleSpec } from './destination-rule.ts'
import { rolloutSpec } from './rollout.ts'
import type { RolloutResourceSpec } from './rollout.ts'
import { metadata } from './schema.ts'
import { virtualServiceSpec } from './virtual-service.ts'
import type { VirtualServiceSpec } from './virtual-service.ts'

/** Group and version of all resources. */
export const apiVersion = 'holdfast.dev/v1'

/** What each kind says. */
export interface ResourceSpecs {
  VirtualService: VirtualServiceSpec
  DestinationRule: DestinationRuleSpec
  Rollout: RolloutResourceSpec
  AnalysisTemplate: AnalysisTemplateResourceSpec
}

/** A kind of resources. */
export type ResourceKind = keyof ResourceSpecs

/** A resource of one kind, or of any, with its defaults filled in. */
export type Resource<K extends ResourceKind = ResourceKind> = {
  [Kind in K]: {
    apiVersion: typeof apiVersion
    kind: Kind
    metadata: { name: string; labels?: Record<string, string>; annotations?: Record<string, string> }
    spec: ResourceSpecs[Kind]
  }
}[K]

/** Names that people call a kind by, small letters; and its schema. */
export interface KindInfo {
  aliases: readonly string[]
  /** One sentence. */
  description: string
  schema: TSchema
}

function schemaOf(kind: ResourceKind, spec: TSchema): TSchema {
  return Type.Object({
    apiVersion: Type.Enum([apiVersion], { description: 'Of all resources.' }),
    kind: Type.Enum([kind], { description: 'Of this one.' }),
    metadata,
    spec,
  })
}

/** All kinds, in the order in which they are listed. */
export const resourceKinds: Readonly<Record<ResourceKind, KindInfo>> = {
  VirtualService: {
    aliases: ['virtualservice', 'virtualservices', 'vs'],
    description: 'Which share of which rooms goes to which subset.',
    schema: schemaOf('VirtualService', virtualServiceSpec),
  },
  DestinationRule: {
    aliases: ['destinationrule', 'destinationrules', 'dr'],
    description: 'What the subsets are, and how they get and lose slots.',
    schema: schemaOf('DestinationRule', destinationRuleSpec),
  },
  Rollout: {
    aliases: ['rollout', 'rollouts', 'ro'],
    description: 'Which version is to serve, and how it gets there.',
    schema: schemaOf('Rollout', rolloutSpec),
  },
  AnalysisTemplate: {
    aliases: ['analysistemplate', 'analysistemplates', 'at'],
    description: 'What is measured of a canary, and what of it is a failure.',
    schema: schemaOf('AnalysisTemplate', analysisTemplateSpec),
  },
}

/** Their names. */
export const kindNames = Object.keys(resourceKinds) as ResourceKind[]

/** The kind that a person means, whatever the case; undefined for none. */
export function kindOf(text: string): ResourceKind | undefined {
  return kindNames.find((kind) => resourceKinds[kind].aliases.includes(text.toLowerCase()))
}

/** As people write it: `Rollout/chat`. */
export function resourceId({ kind, metadata }: { kind: string; metadata: { name: string } }): string {
  return `${kind}/${metadata.name}`
}

/** Those of a kind. */
export function ofKind<K extends ResourceKind>(resources: readonly Resource[], kind: K): Resource<K>[] {
  return resources.filter((resource) => resource.kind === kind) as Resource<K>[]
}
