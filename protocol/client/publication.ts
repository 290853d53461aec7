/** A message as those who are subscribed to its channel get it. */
export interface Publication {
  /** Place in its channel, from 1, without gaps. */
  offset: number
  /** The payload's JSON as it came. */
  data: Buffer
  /** JSON of the sender's ClientInfo, or null. */
  info: string | null
  /** JSON object of strings, or null. */
  tags: string | null
  /** Milliseconds since 1970. */
  time: number
}

/** What clients get of it, live or from history: one JSON object, serialised once. */
export function publicationJson({ offset, data, info, tags, time }: Publication): string {
  const more = `${info === null ? '' : `,"info":${info}`}${tags === null ? '' : `,"tags":${tags}`}`
  return `{"offset":${offset},"data":${data.toString()}${more},"time":${time}}`
}
