/**
 * Where a piece of work belongs in a trace: the text of a W3C `traceparent`, version 00
 * (w3.org/TR/trace-context, section 3.2). Commands bring it into the log, the events and answers that come of them carry
 * it on.
 */
export type TraceContext = string

const traceparent = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/

/** The context that a record has; undefined when it has none, or one that cannot be read, which is ignored (section 4.3). */
export function traceContextOf(value: unknown): TraceContext | undefined {
  return typeof value === 'string' && traceparent.test(value) ? value : undefined
}
