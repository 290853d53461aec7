/** What is asked of Prometheus. */
export interface PrometheusProvider {
  /** Its base URL, `http://prometheus:9090`. */
  address: string
  /** PromQL, asked as an instant query. */
  query: string
  /** Seconds until it must have answered, all attempts together; 30 without it. */
  timeout?: number
}

/** What the built-in counters can be asked. */
export const judgements = ['errors', 'refusals', 'effects', 'latency', 'violations', 'crashes'] as const

/** One of them. */
export type Judgement = (typeof judgements)[number]

/** The canary is compared with the stable version by what workers and proxies count. */
export interface CountersProvider {
  /** What is compared. */
  judge: Judgement
  /** How often, at most, a canary that is as good as the stable version may fail by chance, however often it is looked at. */
  alpha?: number
  /** `errors`, `refusals`, `effects`: a rate that is higher by less than this is no failure. */
  minIncrease?: number
  /** `latency`: an app that is less than so many times as slow is no failure, nor commits of less than twice that. */
  ratio?: number
  /** `latency`: what takes less (ms) is not slow. */
  floorMs?: number
  /** `violations`, `crashes`: so many are no failure. */
  max?: number
  /** With fewer commands of the canary there is no data. */
  minCommands?: number
}

/** When a room is harmed. */
export interface BadWhen {
  /** More violations than this. */
  deliveryViolations?: number
  /** A rate of errors, and of commands answered without their message, that is higher by this than the room's own before. */
  errors?: number
  /** A rate of late commands (see `lateMs`) that is higher by this than the room's own before. */
  late?: number
}

/** Each room is judged against its own past, and the harmed ones are counted. */
export interface RoomsProvider {
  /** With fewer judged rooms there is no data. */
  minRooms?: number
  /** More harmed rooms than this are a failure. */
  maxBadRooms?: number
  /** The share of harmed rooms may exceed that of the stable version by this. */
  maxBadRatioDelta?: number
  /** Of the rooms that are called harmed at most this share is not, on average. */
  alpha?: number
  badWhen?: BadWhen
}

/** Where a measurement comes from: exactly one. */
export interface Provider {
  prometheus?: PrometheusProvider
  counters?: CountersProvider
  rooms?: RoomsProvider
}

/** A metric as Argo Rollouts has it, with the same rules and defaults; times are durations such as `30s`. */
export interface MetricSpec {
  name: string
  /** Between the end of one measurement and the next; without it there is one measurement. */
  interval?: string
  /** Before the first. */
  initialDelay?: string
  /** Measurements to be made; without it, and with an interval, they go on until the analysis ends. */
  count?: number
  /** Failed measurements that are no failure. */
  failureLimit?: number
  /** Inconclusive measurements that do not pause. */
  inconclusiveLimit?: number
  /** Errors in a row that are none; 4 without it. */
  consecutiveErrorLimit?: number
  /** Over `result`, in the Common Expression Language. */
  successCondition?: string
  /** The same; what fulfils neither is inconclusive. */
  failureCondition?: string
  provider: Provider
}

/** An argument of a template: one without a value must be given. */
export interface TemplateArg {
  name: string
  value?: string
}

/** The `spec` of an AnalysisTemplate. */
export interface AnalysisTemplateSpec {
  args?: TemplateArg[]
  metrics: MetricSpec[]
}
