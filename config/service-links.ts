/**
 * Kubernetes, and Docker's links, tell a container about each service of its namespace with variables that begin with the
 * service's name (kubernetes.io/docs/concepts/services-networking/service/#environment-variables). A service called
 * `holdfast-controller` makes HOLDFAST_CONTROLLER_PORT=tcp://10.96.0.12:8080, which is no setting of anybody's.
 */

const names = [
  /^(.+)_SERVICE_(?:HOST|PORT(?:_[A-Z0-9_]+)?)$/,
  /^(.+)_PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?$/,
]

const url = /^(?:tcp|udp|sctp):\/\/.+:\d+$/

/** What the names of the service's variables begin with, for a variable of a service link; undefined for any other. */
export function linkedService(name: string, value: string): string | undefined {
  const patterns = url.test(value) ? [...names, /^(.+)_PORT$/] : names
  for (const pattern of patterns) {
    const service = pattern.exec(name)?.[1]
    if (service !== undefined) return service
  }
  return undefined
}
