import type { Store } from '../store.ts'
import type { StoreAnswer, StoreArguments, StoreRequest } from './sqlite-store.ts'

/** Carries one request to where the SqliteStore is. */
export type SendStoreRequest = <R extends StoreRequest>(
  request: R,
  values: StoreArguments<R>,
) => Promise<StoreAnswer<R>>

/** The seam's requests, each turned into one `send`. */
export function storeRequests(send: SendStoreRequest): Pick<Store, StoreRequest> {
  return {
    createGroup: (...values) => send('createGroup', values),
    pinNamespaces: (...values) => send('pinNamespaces', values),
    namespaces: () => send('namespaces', []),
    leases: () => send('leases', []),
    lease: (...values) => send('lease', values),
    acquire: (...values) => send('acquire', values),
    release: (...values) => send('release', values),
    markTrying: (...values) => send('markTrying', values),
    markKilled: (...values) => send('markKilled', values),
    resetSlot: (...values) => send('resetSlot', values),
    commit: (...values) => send('commit', values),
    pruneInterest: (...values) => send('pruneInterest', values),
    channels: (...values) => send('channels', values),
    activeChannels: (...values) => send('activeChannels', values),
    idempotent: (...values) => send('idempotent', values),
    messages: (...values) => send('messages', values),
    servingVersion: () => send('servingVersion', []),
    setServingVersion: (...values) => send('setServingVersion', values),
    documents: (...values) => send('documents', values),
    putDocuments: (...values) => send('putDocuments', values),
    documentHistory: (...values) => send('documentHistory', values),
    audit: (...values) => send('audit', values),
    registerInstances: (...values) => send('registerInstances', values),
    moveInstance: (...values) => send('moveInstance', values),
    instances: () => send('instances', []),
    lead: (...values) => send('lead', values),
  }
}
