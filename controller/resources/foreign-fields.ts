import type { ResourceKind } from './resource.ts'

const noHttp = 'frames of a connection have rooms and no requests: routes stand under spec.ws'
const noConnectionMatch = 'slots move and not connections: match by namespace or slotGroup'
const noMirror = 'there is no shadow traffic: give a canary a small weight and an analysis'
const noRetries = 'retries and timeouts stay on by themselves: see client.reply_deadline of the configuration'
const noPods = 'Holdfast starts no pods: workers announce their version, whatever starts them'
const oneRouter = 'traffic is moved by Holdfast itself: trafficRouting.istio.virtualService names the routes'
const noProvider = 'allowed are prometheus, counters and rooms'
const argsGiven = 'give a value; the arguments canary and stable are there by themselves'
const noDryRun = 'a metric that must not fail the analysis has a high failureLimit'

/**
 * Fields that Istio and Argo Rollouts have in these kinds and Holdfast lacks, and what to use instead. `[]` stands for
 * any place in a list.
 */
export const foreignFields: Readonly<Record<ResourceKind, Readonly<Record<string, string>>>> = {
  VirtualService: {
    'spec.gateways': 'clients reach the proxies: leave it out',
    'spec.http': noHttp,
    'spec.tcp': noHttp,
    'spec.tls': noHttp,
    'spec.exportTo': 'a cluster has one VirtualService: leave it out',
    'spec.ws[].match[].uri': noConnectionMatch,
    'spec.ws[].match[].scheme': noConnectionMatch,
    'spec.ws[].match[].method': noConnectionMatch,
    'spec.ws[].match[].authority': noConnectionMatch,
    'spec.ws[].match[].headers': noConnectionMatch,
    'spec.ws[].match[].withoutHeaders': noConnectionMatch,
    'spec.ws[].match[].queryParams': noConnectionMatch,
    'spec.ws[].match[].ignoreUriCase': noConnectionMatch,
    'spec.ws[].match[].port': noConnectionMatch,
    'spec.ws[].match[].gateways': noConnectionMatch,
    'spec.ws[].match[].sourceLabels': noConnectionMatch,
    'spec.ws[].match[].sourceNamespace': noConnectionMatch,
    'spec.ws[].match[].statPrefix': noConnectionMatch,
    'spec.ws[].match[].name': 'the route has the name, not the match',
    'spec.ws[].mirror': noMirror,
    'spec.ws[].mirrors': noMirror,
    'spec.ws[].mirrorPercent': noMirror,
    'spec.ws[].mirror_percent': noMirror,
    'spec.ws[].mirrorPercentage': noMirror,
    'spec.ws[].timeout': noRetries,
    'spec.ws[].retries': noRetries,
    'spec.ws[].headers': 'frames have no headers: leave it out',
    'spec.ws[].rewrite': 'frames have no URI: leave it out',
    'spec.ws[].redirect': 'connections stay where they are: leave it out',
    'spec.ws[].directResponse': 'use fault.abort for errors on purpose',
    'spec.ws[].delegate': 'all routes stand in one VirtualService',
    'spec.ws[].corsPolicy': 'see client.allowed_origins of the configuration',
    'spec.ws[].route[].headers': 'frames have no headers: leave it out',
    'spec.ws[].route[].destination.port': 'workers are reached through the log: leave it out',
    'spec.ws[].fault.abort.httpStatus': 'use code for the error of a command, or wsCloseCode to close the connection',
    'spec.ws[].fault.abort.grpcStatus': 'use code for the error of a command, or wsCloseCode to close the connection',
    'spec.ws[].fault.abort.http2Error': 'use code for the error of a command, or wsCloseCode to close the connection',
    'spec.ws[].fault.abort.percent': 'use percentage.value',
    'spec.ws[].fault.delay.percent': 'use percentage.value',
    'spec.ws[].fault.delay.exponentialDelay': 'use fixedDelay',
  },
  DestinationRule: {
    'spec.exportTo': 'a cluster has one DestinationRule: leave it out',
    'spec.workloadSelector': 'workers are selected by labels.version of a subset',
    'spec.trafficPolicy.connectionPool': 'see http_server and client of the configuration',
    'spec.trafficPolicy.loadBalancer':
      'slots are spread evenly over the workers of a subset; warmup stands under slotHandoff',
    'spec.trafficPolicy.tls': 'workers are reached through the log: its URL says how',
    'spec.trafficPolicy.portLevelSettings': 'workers have no ports: leave it out',
    'spec.trafficPolicy.tunnel': 'workers are reached through the log: leave it out',
    'spec.trafficPolicy.proxyProtocol': 'see http_server.proxy_protocol of the configuration',
    'spec.trafficPolicy.retryBudget': noRetries,
    'spec.trafficPolicy.partitionHandoff': 'use slotHandoff',
    'spec.trafficPolicy.outlierDetection.consecutiveErrors': 'use consecutive5xxErrors',
    'spec.trafficPolicy.outlierDetection.consecutiveLocalOriginFailures': 'use consecutiveGatewayErrors',
    'spec.trafficPolicy.outlierDetection.splitExternalLocalOriginErrors':
      'the two counters are apart already: leave it out',
    'spec.subsets[].trafficPolicy': 'one trafficPolicy holds for all subsets: use spec.trafficPolicy',
  },
  Rollout: {
    'spec.replicas': noPods,
    'spec.template': noPods,
    'spec.selector': noPods,
    'spec.workloadRef': noPods,
    'spec.minReadySeconds': 'a worker is ready when it says so: leave it out',
    'spec.restartAt': 'use "holdfast rollout restart"',
    'spec.analysis': 'reports are kept as revisionHistoryLimit says: leave it out',
    'spec.strategy.blueGreen': 'a canary without steps moves everything at once',
    'spec.strategy.canary.canaryMetadata': noPods,
    'spec.strategy.canary.stableMetadata': noPods,
    'spec.strategy.canary.maxSurge': noPods,
    'spec.strategy.canary.maxUnavailable': noPods,
    'spec.strategy.canary.antiAffinity': noPods,
    'spec.strategy.canary.pingPong': 'stableService and canaryService are enough',
    'spec.strategy.canary.dynamicStableScale': noPods,
    'spec.strategy.canary.minPodsPerReplicaSet': noPods,
    'spec.strategy.canary.replicaProgressThreshold': noPods,
    'spec.strategy.canary.scaleDownDelayRevisionLimit': 'use scaleDownDelaySeconds',
    'spec.strategy.canary.onAbort': 'nothing is replayed: the stable version goes on from where each slot is',
    'spec.strategy.canary.trafficRouting.managedRoutes': 'use istio.virtualService.routes',
    'spec.strategy.canary.trafficRouting.maxTrafficWeight': 'weights are percent',
    'spec.strategy.canary.trafficRouting.nginx': oneRouter,
    'spec.strategy.canary.trafficRouting.alb': oneRouter,
    'spec.strategy.canary.trafficRouting.smi': oneRouter,
    'spec.strategy.canary.trafficRouting.ambassador': oneRouter,
    'spec.strategy.canary.trafficRouting.apisix': oneRouter,
    'spec.strategy.canary.trafficRouting.appMesh': oneRouter,
    'spec.strategy.canary.trafficRouting.traefik': oneRouter,
    'spec.strategy.canary.trafficRouting.plugins': oneRouter,
    'spec.strategy.canary.trafficRouting.istio.virtualServices': 'a cluster has one: use virtualService',
    'spec.strategy.canary.trafficRouting.istio.destinationRule': 'subsets are named by stableService and canaryService',
    'spec.strategy.canary.analysis.dryRun': noDryRun,
    'spec.strategy.canary.analysis.measurementRetention': 'the report of a rollout keeps the verdicts: leave it out',
    'spec.strategy.canary.analysis.analysisRunMetadata': 'leave it out',
    'spec.strategy.canary.analysis.templates[].clusterScope': 'all templates are the cluster’s: leave it out',
    'spec.strategy.canary.analysis.args[].valueFrom.fieldRef': argsGiven,
    'spec.strategy.canary.steps[].setCanaryScale': noPods,
    'spec.strategy.canary.steps[].experiment': noMirror,
    'spec.strategy.canary.steps[].setHeaderRoute':
      'give a namespace slot groups of its own and a route that matches it',
    'spec.strategy.canary.steps[].setMirrorRoute': noMirror,
    'spec.strategy.canary.steps[].plugin': 'use webhooks',
    'spec.strategy.canary.steps[].replicaProgressThreshold': noPods,
    'spec.strategy.canary.steps[].analysis.dryRun': noDryRun,
    'spec.strategy.canary.steps[].analysis.measurementRetention':
      'the report of a rollout keeps the verdicts: leave it out',
    'spec.strategy.canary.steps[].analysis.analysisRunMetadata': 'leave it out',
    'spec.strategy.canary.steps[].analysis.templates[].clusterScope': 'all templates are the cluster’s: leave it out',
    'spec.strategy.canary.steps[].analysis.args[].valueFrom.fieldRef': argsGiven,
  },
  AnalysisTemplate: {
    'spec.dryRun': noDryRun,
    'spec.measurementRetention': 'the report of a rollout keeps the verdicts: leave it out',
    'spec.templates': 'a Rollout may name several templates',
    'spec.args[].valueFrom': argsGiven,
    'spec.metrics[].consecutiveSuccessLimit': 'use count',
    'spec.metrics[].provider.prometheus.authentication': 'put what it needs into the address of a proxy of your own',
    'spec.metrics[].provider.prometheus.headers': 'put what it needs into the address of a proxy of your own',
    'spec.metrics[].provider.prometheus.insecure': 'use an http address',
    'spec.metrics[].provider.prometheus.rangeQuery': 'use a query over a range, such as rate(…[1m])',
    'spec.metrics[].provider.web': noProvider,
    'spec.metrics[].provider.job': noProvider,
    'spec.metrics[].provider.datadog': noProvider,
    'spec.metrics[].provider.wavefront': noProvider,
    'spec.metrics[].provider.newRelic': noProvider,
    'spec.metrics[].provider.kayenta': noProvider,
    'spec.metrics[].provider.cloudWatch': noProvider,
    'spec.metrics[].provider.graphite': noProvider,
    'spec.metrics[].provider.influxdb': noProvider,
    'spec.metrics[].provider.skywalking': noProvider,
    'spec.metrics[].provider.plugin': noProvider,
    'spec.metrics[].provider.rooms.method': 'the test is sequential: leave it out',
  },
}

/** Fields of Kubernetes that every kind could have. */
export const foreignMetadata: Readonly<Record<string, string>> = {
  status: 'the controller writes it: leave it out',
  'metadata.namespace': 'resources have no namespaces: leave it out',
  'metadata.generateName': 'use name',
  'metadata.resourceVersion': 'the store counts revisions: leave it out',
  'metadata.generation': 'the store counts revisions: leave it out',
  'metadata.uid': 'leave it out',
  'metadata.creationTimestamp': 'leave it out',
  'metadata.managedFields': 'leave it out',
  'metadata.finalizers': 'leave it out',
  'metadata.ownerReferences': 'leave it out',
}

/** What to use instead of a field, by its path with `[]` for places in lists; undefined where nobody has it. */
export function insteadOf(kind: ResourceKind, path: string): string | undefined {
  const fields = { ...foreignMetadata, ...foreignFields[kind] }
  return Object.hasOwn(fields, path) ? fields[path] : undefined
}
