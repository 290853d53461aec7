const loopbackHost = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i

/**
 * True for a `Host` header that names this machine. A foreign site whose name is re-pointed to 127.0.0.1 comes from this
 * machine too, but under its own name.
 */
export function isLoopbackHost(host: string | undefined): host is string {
  return host !== undefined && loopbackHost.test(host)
}
