import type { AnswerRecord } from './answer.ts'
import { answerPartBytesMax } from './sizes.ts'

/**
 * A large answer goes through the log in parts, so that whatever handles one (the log, the proxy, everybody whose events
 * stand behind it) is soon done with it. Parts are cut anywhere: nobody reads one alone.
 */
export function cutAnswer(answer: AnswerRecord, bytesMax = answerPartBytesMax): AnswerRecord[] {
  const { body } = answer
  if (body.length <= bytesMax) return [answer]
  const parts: AnswerRecord[] = []
  for (let from = 0; from < body.length; from += bytesMax) {
    parts.push({ ...answer, part: { from, of: body.length }, body: body.subarray(from, from + bytesMax) })
  }
  return parts
}

/**
 * Puts the parts of one read's answer together. A read that is asked again is answered again, maybe by another worker:
 * what came first is given up when another answer begins, and a part that does not go on where the last one ended is
 * left out, so what is whole is one worker's answer to one number.
 */
export class AnswerParts {
  #begun: AnswerRecord | null = null
  #bodies: Buffer[] = []
  #bytes = 0

  /** The whole answer once its last part is there, null before. */
  add(record: AnswerRecord): AnswerRecord | null {
    const { part, body } = record
    if (part === null) return record
    if (part.from === 0) this.#begin(record)
    if (part.from !== this.#bytes || !this.#isOfBegun(record)) return null
    this.#bodies.push(body)
    this.#bytes += body.length
    if (this.#bytes < part.of) return null
    return { ...record, part: null, body: Buffer.concat(this.#bodies, this.#bytes) }
  }

  #begin(record: AnswerRecord): void {
    this.#begun = record
    this.#bodies = []
    this.#bytes = 0
  }

  #isOfBegun({ n, worker, part }: AnswerRecord): boolean {
    const begun = this.#begun
    return begun !== null && begun.n === n && begun.worker === worker && begun.part?.of === part?.of
  }
}
