import type { Config } from './config.ts'
import { formatDuration } from './duration.ts'

/** Time that the SDKs wait for a reply unless they are told otherwise. */
const sdkTimeoutMs = 5_000

/** About what a subscribe with a place to recover from takes in the one message with which an SDK comes back. */
const subscribeBytes = 100

/** Bytes of a message that count as one command (client.command_rate). */
const commandBytes = 4_096

/** The part of proxy.in_flight_max that one channel may have. */
const channelShare = 4

/**
 * Limits that are each allowed and together keep somebody from using one of them: one line for each pair, with both keys.
 */
export function contradictions({ client, websocket, proxy, worker, controller, shutdown, channel }: Config): string[] {
  const found: string[] = []
  const when = (isSo: boolean, line: string): void => void (isSo && found.push(line))
  const { message_size_limit: messageMax } = websocket
  const { command_burst: burst, queue_max_size: queueMax, address_connection_limit: perAddress } = client

  when(
    client.reply_deadline >= sdkTimeoutMs,
    `client.reply_deadline is ${formatDuration(client.reply_deadline)}: SDKs wait for a reply no longer than ${formatDuration(sdkTimeoutMs)} unless they are told to`,
  )
  when(
    client.channel_limit * subscribeBytes > messageMax,
    `client.channel_limit is ${client.channel_limit}: a client that comes back subscribes to all of them in one message, which websocket.message_size_limit, ${messageMax}, does not take`,
  )
  when(
    Math.ceil(messageMax / commandBytes) > burst,
    `websocket.message_size_limit is ${messageMax}: such a message counts as ${Math.ceil(messageMax / commandBytes)} commands, and client.command_burst is ${burst}`,
  )
  when(
    messageMax > queueMax,
    `websocket.message_size_limit is ${messageMax}: client.queue_max_size, ${queueMax}, has no room for such a message`,
  )
  when(
    burst > proxy.in_flight_max / channelShare,
    `client.command_burst is ${burst}: one channel may have a quarter of proxy.in_flight_max, ${proxy.in_flight_max}, on its way, and refuses more (111)`,
  )
  when(
    client.connection_limit > 0 && perAddress > client.connection_limit,
    `client.address_connection_limit is ${perAddress}: client.connection_limit, ${client.connection_limit}, is reached before it`,
  )
  when(
    2 * worker.heartbeat_interval > controller.death_time,
    `worker.heartbeat_interval is ${formatDuration(worker.heartbeat_interval)}: with controller.death_time ${formatDuration(controller.death_time)} one heartbeat that is late makes a worker dead`,
  )
  when(
    2 * proxy.heartbeat_interval > controller.proxy_death_time,
    `proxy.heartbeat_interval is ${formatDuration(proxy.heartbeat_interval)}: with controller.proxy_death_time ${formatDuration(controller.proxy_death_time)} one heartbeat that is late makes a proxy dead`,
  )
  when(
    shutdown.jitter > 0 && shutdown.jitter >= shutdown.timeout,
    `shutdown.jitter is ${formatDuration(shutdown.jitter)}: a proxy is stopped after shutdown.timeout, ${formatDuration(shutdown.timeout)}, before all its clients were told to go elsewhere`,
  )
  const recoverable = client.recovery_max_publication_limit
  for (const [path, options] of [
    ['channel.without_namespace', channel.without_namespace] as const,
    ...channel.namespaces.map((options, index) => [`channel.namespaces[${index}]`, options] as const),
  ])
    when(
      options.force_recovery && options.history_size > recoverable,
      `${path}.history_size is ${options.history_size}: one recovery brings client.recovery_max_publication_limit, ${recoverable}, at most, and who missed more starts anew`,
    )
  return found
}
