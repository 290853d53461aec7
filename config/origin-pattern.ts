/** Ports that browsers leave out of an `Origin`, by its scheme. */
const defaultPorts: Record<string, string> = { 'http:': '80', 'https:': '443' }

/** True when a `Host` header names the place that an origin is of; the port that its scheme implies may be there. */
export function isHostOf(origin: URL, host: string): boolean {
  const name = host.toLowerCase()
  return name === origin.host || (origin.port === '' && name === `${origin.host}:${defaultPorts[origin.protocol]}`)
}

/**
 * A pattern of `client.allowed_origins` as browsers write origins: lower case, without a trailing slash and the port that
 * the scheme implies, names in ASCII. `*` stands for any run of characters. Throws an Error of one line for what no origin
 * can ever fit to.
 */
export function normalOriginPattern(written: string): string {
  const pattern = written.trim().toLowerCase().replace(/\/$/, '')
  if (pattern === 'null') return pattern
  if (/[/?#@\s]/.test(pattern.replace('://', ''))) throw new Error('an origin is a scheme, a name and a port, no path')
  const [scheme, rest] = pattern.split('://') as [string, string?]
  if (rest === undefined) return withoutScheme(pattern)
  if (scheme === 'ws' || scheme === 'wss') throw new Error('the origin of a page has the scheme http or https')
  if (pattern.includes('*')) return `${scheme}://${withoutDefaultPort(`${scheme}:`, asciiOf(rest))}`
  // Other schemes are those of apps, and have names of their own.
  if (defaultPorts[`${scheme}:`] === undefined) return pattern
  const url = URL.parse(pattern)
  if (url === null || url.hostname === '') throw new Error('not an origin')
  return url.origin
}

function withoutScheme(pattern: string): string {
  if (!pattern.startsWith('*')) throw new Error('an origin begins with its scheme, such as https://chat.example.com')
  if (/:(80|443)$/.test(pattern)) throw new Error('with this port an origin needs its scheme, http:// or https://')
  return asciiOf(pattern)
}

function withoutDefaultPort(protocol: string, host: string): string {
  const port = defaultPorts[protocol]
  return port !== undefined && host.endsWith(`:${port}`) ? host.slice(0, -port.length - 1) : host
}

/** Names as they are asked of DNS. */
function asciiOf(host: string): string {
  return host.replaceAll(/[^.:]*[^\0-\x7f][^.:]*/g, (label) => {
    const ascii = label.includes('*') ? '' : (URL.parse(`http://${label}`)?.hostname ?? '')
    if (ascii === '') throw new Error('beside a * only ASCII can stand')
    return ascii
  })
}
