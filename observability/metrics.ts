import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'

/**
 * Every metric of every process, declared in one place. Base units are seconds and bytes; labels are bounded: never a
 * channel, user, session or message. A process registers all of them and moves those of its role.
 */

const latencyBuckets = [0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

const rolloutBuckets = [1, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400]

/** The metrics of a process, by the name that code knows them by. */
export type Metrics = ReturnType<typeof createMetrics>

/** Makes all metrics in a registry of their own, so that many processes can live in one (tests, the simulation). */
export function createMetrics(registry = new Registry()) {
  const registers = [registry]
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter({ name: `holdfast_${name}`, help, labelNames, registers })
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Gauge({ name: `holdfast_${name}`, help, labelNames, registers })
  const histogram = <L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    buckets = latencyBuckets,
  ) => new Histogram({ name: `holdfast_${name}`, help, labelNames, buckets, registers })

  return {
    registry,

    // proxy
    connectionsActive: gauge('connections_active', 'Sessions held by this proxy', ['protocol']),
    connectionsOpened: counter('connections_opened_total', 'Connections accepted', ['protocol']),
    connectionsMax: gauge('connections_max', 'Sessions that this proxy takes at most'),
    connectionsClosed: counter('connections_closed_total', 'Connections closed, by disconnect code', ['code']),
    connectionsRefused: counter('connections_refused_total', 'Connections refused before they were a session', [
      'reason',
    ]),
    tokensRefused: counter('tokens_refused_total', 'Tokens refused, by the command that brought them and the reason', [
      'command',
      'reason',
    ]),
    commands: counter('commands_total', 'Commands answered, by the version that handled them', [
      'method',
      'destination_version',
      'result',
    ]),
    commandDuration: histogram('command_duration_seconds', 'Command received to reply written', [
      'method',
      'destination_version',
      'result',
    ]),
    published: counter('published_total', 'Publications accepted (publish and chat.send)', ['destination_version']),
    deliveries: counter('deliveries_total', 'Publications written to sessions'),
    fanOutDelay: histogram('fan_out_delay_seconds', 'Message time to written to the sessions of this proxy', [
      'destination_version',
    ]),
    sessionsHeld: gauge('sessions_held', 'Sessions that are not read because they send more than they may'),
    inFlight: gauge('commands_in_flight', 'Commands sent or waiting for their slot, without an answer yet'),
    inFlightBytes: gauge(
      'commands_in_flight_bytes',
      'Bytes that commands in flight hold; bounded by proxy.in_flight_bytes_max',
    ),
    rejected: counter('commands_rejected_total', 'Commands refused at the proxy, by error code', ['code']),
    readRetries: counter('read_retries_total', 'Reads sent again because no answer came'),
    insufficient: counter('positions_insufficient_total', 'Channels whose sessions were told to recover', ['reason']),
    eventsDropped: counter('events_dropped_total', 'Events dropped at the inbox', ['reason']),
    outputRest: counter(
      'output_rest_seconds_total',
      'Time that output waited after long writes, for more to share the next',
    ),
    slowConsumers: counter('slow_consumers_total', 'Sessions closed because they took nothing, with a full queue'),
    catchingUp: gauge(
      'catching_up',
      'Subscriptions that are brought up to the top of their channel, as their clients take it',
    ),
    namespacesContradicted: gauge(
      'namespaces_contradicted',
      '1 while this proxy has a namespace in another slot group than the cluster',
    ),

    // worker
    slotsOwned: gauge('slots_owned', 'Slots that this worker owns', ['version']),
    batchRecords: histogram(
      'batch_records',
      'Records of one slot batch',
      ['version'],
      [1, 2, 5, 10, 25, 50, 100, 250, 500],
    ),
    commitDuration: histogram('commit_duration_seconds', 'One store transaction of a batch', ['version', 'outcome']),
    recordsHandled: counter('records_handled_total', 'Records of the command log handled', [
      'version',
      'method',
      'result',
    ]),
    recordsDuplicate: counter('records_duplicate_total', 'Records dropped as already handled', ['reason']),
    commitsUnknown: counter('commits_unknown_total', 'Commits whose outcome had to be looked up'),
    commitsRefused: counter('commits_refused_total', 'Commits that the store cannot take, cut smaller'),
    readsDropped: counter('reads_dropped_total', 'Reads left to the proxy to ask again'),
    fenced: counter('fenced_total', 'Slots lost to another owner, as a commit or a look at the leases told', ['stage']),
    deadLetters: counter('dead_letters_total', 'Records set aside', ['reason']),
    laneBacklogBytes: gauge('lane_backlog_bytes', 'Bytes waiting to be appended to the inbox topic'),
    laneAnswerBytes: gauge('lane_answer_bytes', 'Bytes of answers to reads that wait until no event does'),
    laneResyncs: counter('lane_resyncs_total', 'Inboxes told to recover because their backlog was full'),
    readsWaiting: gauge('reads_waiting', 'Reads waiting for the store'),
    storesWentBack: counter('store_went_back_total', 'Slots found behind what their owner had announced'),
    slotsHalted: gauge('slots_halted', 'Slots halted because the log and the store do not fit together'),
    cachedChannels: gauge('cached_channels', 'Channels in the cache of the owned slots'),

    // controller
    leader: gauge('controller_leader', '1 while this controller leads'),
    slotsUnowned: gauge('slots_unowned', 'Slots without a live owner'),
    configAcked: gauge('config_acked_version', 'Revision of the configuration that every process has heard of'),
    topicsMismatched: gauge('topics_mismatched', '1 while a topic is not laid out as it should be'),
    members: gauge('members_live', 'Live processes', ['role', 'version']),
    handoffs: counter('handoffs_total', 'Slots moved', ['result']),
    handoffPause: histogram('handoff_pause_seconds', 'Old owner stopped to new owner started', ['kind']),
    workersEnded: counter('workers_ended_total', 'Worker processes whose end was seen by their connection', [
      'version',
    ]),
    workerWires: gauge('worker_wires', 'Workers whose end this controller would see by its connection, and others', [
      'status',
    ]),
    trafficWeight: gauge(
      'traffic_weight',
      'Percent of a slot group that a version is to have, and has of its slots and of its commands',
      ['group', 'version', 'kind'],
    ),
    workersEjected: gauge('workers_ejected', 'Workers that are taken out for a while'),
    ejections: counter('worker_ejections_total', 'Workers that were taken out for a while', ['version']),
    drainRemaining: gauge('drain_remaining', 'What versions that are drained still have', ['version', 'kind']),
    retired: counter('instances_retired_total', 'Proxy instances declared dead'),
    analysisMeasurements: counter('analysis_measurements_total', 'Measurements of analyses, by what came of them', [
      'phase',
    ]),
    rolloutInfo: gauge('rollout_info', 'How each rollout is', ['name', 'phase', 'strategy', 'step']),
    rolloutWeight: gauge('rollout_weight', 'Percent of the slots that a version is to have, and has', [
      'name',
      'version',
      'kind',
    ]),
    rolloutStep: gauge('rollout_step_index', 'Steps of a rollout that are done', ['name']),
    rolloutDuration: histogram(
      'rollout_duration_seconds',
      'Rollouts that ended, from their beginning',
      ['status'],
      rolloutBuckets,
    ),
    rolloutProgression: histogram(
      'rollout_progression_duration_seconds',
      'The same without the time for which a person was waited for',
      ['status'],
      rolloutBuckets,
    ),
    rolloutManualPause: histogram(
      'rollout_manual_pause_duration_seconds',
      'Time of a rollout for which a person was waited for',
      ['status'],
      rolloutBuckets,
    ),
    webhooks: counter('webhooks_total', 'Webhooks that were asked or told, and whether they agreed', [
      'type',
      'result',
    ]),
    eventStreamsClosed: counter('event_streams_closed_total', 'Streams of events whose readers did not keep up'),
    httpDuration: histogram('http_request_duration_seconds', 'HTTP requests', ['route', 'status']),

    // every process that talks to Kafka
    kafkaRequests: counter('kafka_requests_total', 'Requests to brokers, by what they are for', ['kind', 'result']),
    kafkaRequestDuration: histogram(
      'kafka_request_duration_seconds',
      'One answered request to a broker; one that reads waits for records',
      ['kind'],
    ),
    kafkaAppendRecords: histogram(
      'kafka_append_records',
      'Records of one append request',
      [],
      [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000],
    ),
    kafkaErrors: counter(
      'kafka_errors_total',
      'Requests not answered and partitions refused, by the name that Kafka has',
      ['kind', 'error'],
    ),
    kafkaBuffered: gauge('kafka_reader_buffer_bytes', 'Bytes that were read and not handled yet'),

    // every process that talks to MySQL
    mysqlRetries: counter('mysql_retries_total', 'Transactions that were rolled back and made again', ['reason']),
    mysqlConnections: gauge('mysql_connections', 'Open connections to the database'),
    mysqlRequestsRunning: gauge('mysql_requests_running', 'Requests to the database under way'),
    mysqlRequestsWaiting: gauge('mysql_requests_waiting', 'Requests that wait for a connection to the database'),
    mysqlRoundTripDuration: histogram('mysql_round_trip_duration_seconds', 'One round trip to the database', []),
    mysqlCommitSlots: histogram(
      'mysql_commit_slots',
      'Slots whose commits went in one transaction, or apart after it had failed',
      ['result'],
      [1, 2, 5, 10, 25, 50, 100],
    ),

    // engine
    engineDiskFree: gauge('engine_disk_free_bytes', 'Room on the disk under the data directory'),
    engineDiskFull: gauge('engine_disk_full', '1 while the disk under the data directory takes nothing'),
    engineDiskOutages: counter('engine_disk_full_total', 'Times that the disk under the data directory was full'),

    // every process
    configVersion: gauge('config_version', 'Revision of the configuration that the process has heard of last'),
    configRejects: counter('config_rejects_total', 'Configurations that the process has rejected, in whole or in part'),
    faultsActive: gauge('faults_active', 'Faults that are set'),
    faultsInjected: counter('faults_injected_total', 'Frames, records and requests that a fault befell', [
      'fault',
      'stage',
      'kind',
    ]),
    appendDuration: histogram('log_append_duration_seconds', 'One append to the log', ['topic']),
    appendRetries: counter('log_append_retries_total', 'Appends sent again', ['topic']),
    appendsDropped: counter('log_append_dropped_total', 'Records that the log can never take', ['topic']),
    announcementsDropped: counter('announcements_dropped_total', 'Announcements given up while the log was away'),
    requestRetries: counter('request_retries_total', 'Requests to the store or the log made again'),
  }
}

/** Adds Node's own metrics (event loop, memory, GC) to the registry of a real process. */
export function collectProcessMetrics(registry: Registry): void {
  // The library's 10 ms wake an idle process a hundred times a second.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 })
}
