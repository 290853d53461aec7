import { splitChannel } from '../config/channel-name.ts'
import type { ChannelNames } from '../config/channel-name.ts'
import { slotCount } from '../config/config.ts'
import type { Config } from '../config/config.ts'
import { partitionOf } from '../protocol/partition.ts'
import { defaultGroup } from '../protocol/records/topics.ts'
import { slotId } from '../protocol/slot.ts'
import type { SlotId } from '../protocol/slot.ts'

/** The slots of one command topic. */
export interface SlotGroup {
  name: string
  slots: number
  /** What a person changes when their number is wrong. */
  slotsKey: string
}

/** Which group has a namespace's channels, for good: their history lies in its slots. */
export interface NamespaceGroup {
  namespace: string
  group: string
}

/** All groups that are configured, `default` first. */
export function slotGroups(config: Config): SlotGroup[] {
  const others = config.topics.groups.map(({ name, slots }) => ({
    name,
    slots,
    slotsKey: `topics.groups[${name}].slots`,
  }))
  return [{ name: defaultGroup, slots: slotCount(config), slotsKey: 'topics.slots' }, ...others]
}

/** The group of each namespace that is configured. */
export function namespaceGroups({ channel, topics }: Pick<Config, 'channel' | 'topics'>): NamespaceGroup[] {
  const named = new Map(topics.groups.flatMap(({ name, namespaces }) => namespaces.map((each) => [each, name])))
  return channel.namespaces.map(({ name }) => ({ namespace: name, group: named.get(name) ?? defaultGroup }))
}

/**
 * How a configuration contradicts what the cluster has noted of its namespaces, in words for whoever wrote it; null when
 * it does not.
 */
export function contradictionOf(config: Pick<Config, 'channel' | 'topics'>, noted: NamespaceGroup[]): string | null {
  const groups = new Map(noted.map(({ namespace, group }) => [namespace, group]))
  for (const { namespace, group } of namespaceGroups(config)) {
    const before = groups.get(namespace)
    if (before === undefined || before === group) continue
    const advice =
      before === defaultGroup
        ? `take it out of topics.groups[${group}].namespaces`
        : `put it into topics.groups[${before}].namespaces`
    return `topics.groups has namespace ${namespace} in the group ${group}, but it belongs to ${before} for good, where its rooms are: ${advice}, or give the rooms a namespace of another name`
  }
  return null
}

/** Where channels belong: each to one slot, for good. The partitioner, and the slots of a group, never change. */
export class ChannelSlots {
  readonly #names: ChannelNames
  readonly #default: SlotGroup
  /** By namespace; only those that are not in the default group. */
  readonly #others: ReadonlyMap<string, SlotGroup>

  constructor(config: Config) {
    const [first, ...others] = slotGroups(config)
    const byName = new Map(others.map((group) => [group.name, group]))
    const named = namespaceGroups(config).filter(({ group }) => byName.has(group))
    this.#names = config.channel
    this.#default = first!
    this.#others = new Map(named.map(({ namespace, group }) => [namespace, byName.get(group)!]))
  }

  /** The slot of a channel. One without a namespace is in the default group. */
  of(channel: string): SlotId {
    const { name, slots } = this.#others.get(splitChannel(this.#names, channel).namespace) ?? this.#default
    return slotId(name, partitionOf(channel, slots))
  }
}
