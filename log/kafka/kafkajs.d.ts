/**
 * The parts of kafkajs 2.2.4 beneath its public consumer and producer that are used here. The version is pinned: it is
 * not public. What they do is read in node_modules/kafkajs/src.
 */

declare module 'kafkajs/src/cluster/index.js' {
  import type { ConnectionOptions } from 'node:tls'
  import type { ISocketFactory, KafkaConfig, Logger, RetryOptions } from 'kafkajs'
  import type Connection from 'kafkajs/src/network/connection.js'
  import type { MetadataAnswer } from './wire/metadata.ts'

  /** `encode` and `decode` are kafkajs's own, of a version of a request; `parse` sees the decoded answer. */
  export interface ProtocolCall<Answer> {
    request: object
    response: { decode(data: Buffer): Promise<Answer>; parse(answer: Answer): Promise<Answer> | Answer }
    logResponseError?: boolean
  }

  export interface Broker {
    nodeId: number
    metadata(topics: string[]): Promise<MetadataAnswer>
    connectionPool: {
      host: string
      port: number
      pool: Connection[]
      /** Fetches have a connection of their own; everything else shares the other one. */
      send<Answer>(call: ProtocolCall<Answer>): Promise<Answer>
      getConnection(index: 0 | 1): Promise<{ send<Answer>(call: ProtocolCall<Answer>): Promise<Answer> }>
    }
    offsetCommit(request: {
      groupId: string
      groupGenerationId: number
      memberId: string
      retentionTime: number
      topics: { topic: string; partitions: { partition: number; offset: string }[] }[]
    }): Promise<unknown>
  }

  class Cluster {
    constructor(options: {
      logger: Logger
      brokers: string[] | (() => Promise<string[]>)
      clientId: string
      socketFactory: ISocketFactory
      ssl?: ConnectionOptions | undefined
      sasl?: KafkaConfig['sasl']
      connectionTimeout: number
      authenticationTimeout: number
      reauthenticationThreshold: number
      requestTimeout: number
      enforceRequestTimeout: boolean
      metadataMaxAge: number
      retry: RetryOptions
      allowAutoTopicCreation: boolean
      maxInFlightRequests?: number | null
      isolationLevel: number
    })
    connect(): Promise<void>
    findGroupCoordinator(group: { groupId: string }): Promise<Broker>
    readonly brokerPool: {
      /** The one of those in the configuration that is connected to first; among `brokers` too once its node is known. */
      seedBroker: Broker | undefined
      readonly brokers: { readonly [node: number]: Broker }
      /** Connects to it. */
      findBroker(broker: { nodeId: number }): Promise<Broker>
      findConnectedBroker(): Promise<Broker>
      removeBroker(broker: { host: string; port: number }): void
      refreshMetadata(topics: string[]): Promise<void>
    }
  }
  export default Cluster
}

declare module 'kafkajs/src/network/connection.js' {
  import type { Socket } from 'node:net'

  class Connection {
    socket?: Socket
    /** What has arrived and is not a whole answer yet. */
    chunks: Buffer[]
    bytesBuffered: number
    bytesNeeded: number
    isConnected(): boolean
    connect(): Promise<boolean>
  }
  export default Connection
}

declare module 'kafkajs/src/protocol/requests/listOffsets/v2/request.js' {
  const request: (list: {
    replicaId: number
    isolationLevel: number
    topics: { topic: string; partitions: { partition: number; timestamp: number }[] }[]
  }) => object
  export default request
}

declare module 'kafkajs/src/protocol/requests/listOffsets/v2/response.js' {
  export interface OffsetsAnswer {
    responses: { topic: string; partitions: { partition: number; errorCode: number; offset: string }[] }[]
  }
  const response: { decode(data: Buffer): Promise<OffsetsAnswer> }
  export default response
}

declare module 'kafkajs/src/protocol/requests/deleteRecords/v0/request.js' {
  const request: (deletion: {
    topics: { topic: string; partitions: { partition: number; offset: string }[] }[]
    timeout: number
  }) => object
  export default request
}

declare module 'kafkajs/src/protocol/requests/deleteRecords/v0/response.js' {
  export interface DeletionAnswer {
    topics: { topic: string; partitions: { partition: number; errorCode: number }[] }[]
  }
  const response: (asked: { topics: [] }) => { decode(data: Buffer): Promise<DeletionAnswer> }
  export default response
}

declare module 'kafkajs/src/protocol/error.js' {
  const protocolErrors: { createErrorFromCode(code: number): Error & { type: string; retriable: boolean } }
  export default protocolErrors
}

declare module 'kafkajs/src/network/requestQueue/index.js' {
  class RequestQueue {
    readonly maxInFlightRequests: number | null
    readonly requestTimeout: number
    readonly inflight: Map<number, { requestTimeout: number; timeoutRequest(): void }>
    readonly pending: unknown[]
    throttledUntil: number
    throttleCheckTimeoutId: NodeJS.Timeout | null
    requestTimeoutIntervalId: NodeJS.Timeout | null
    constructor(options: {
      instrumentationEmitter: null
      maxInFlightRequests: number | null
      requestTimeout: number
      enforceRequestTimeout: boolean
      clientId: string
      broker: string
      logger: { debug(): void }
      isConnected: () => boolean
    })
    isConnected(): boolean
    maybeThrottle(ms: number | null): void
    canSendSocketRequestImmediately(): boolean
    checkPendingRequests(): void
    scheduleCheckPendingRequests(): void
    scheduleRequestTimeoutCheck(): void
    destroy(): void
  }
  export default RequestQueue
}

declare module 'kafkajs/src/protocol/recordBatch/crc32C/index.js' {
  export default function crc32C(bytes: Buffer): number
}
