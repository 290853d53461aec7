/**
 * Proves that what a proxy puts between a client and its sessions (listener, WebSocket options, socket, frames) keeps
 * RFC 6455: all cases of the Autobahn test suite, driven by kosoku against an echo behind the proxy's own listener.
 * None fails. The compression cases are declined: the proxy negotiates no extension.
 */
import t from 'tap'
import { startEcho } from './echo.ts'
import { bringKosoku, runCases } from './kosoku.ts'

/** Cases of the suite; a number that is lower means that some were not run. */
const caseCount = 517

/** Compression: of messages (12) and with every combination of its parameters (13). */
const isCompression = (id: string): boolean => /^1[23]\./.test(id)

void t.test('the Autobahn cases', { timeout: 600_000 }, async (t) => {
  const kosoku = await bringKosoku((line) => t.comment(line))
  await using echo = await startEcho()
  const results = await runCases(kosoku, echo.url, t.testdir({}))
  t.equal(results.size, caseCount, 'all of them ran')
  const idsOf = (...behaviors: string[]): string[] =>
    [...results].filter(([, { behavior }]) => behaviors.includes(behavior)).map(([id]) => id)
  t.strictSame(
    idsOf('UNIMPLEMENTED').toSorted(),
    [...results.keys()].filter(isCompression).toSorted(),
    'declined: exactly the compression cases',
  )
  // In the suite's words still conformant: text that is no UTF-8 may be refused at its fragment (strict) or, as here,
  // at the end of its message.
  t.strictSame(
    idsOf('NON-STRICT').toSorted(),
    ['6.4.1', '6.4.2', '6.4.3', '6.4.4'],
    'conformant, not as early as can be',
  )
  // Whether a server still echoes under a close, and what it does with close codes beyond the RFC's.
  t.strictSame(idsOf('INFORMATIONAL').toSorted(), ['7.1.6', '7.13.1', '7.13.2'], 'left open by the RFC')
  const rest = caseCount - idsOf('UNIMPLEMENTED', 'NON-STRICT', 'INFORMATIONAL').length
  t.equal(idsOf('OK').length, rest, 'all others pass')
  const closed = [...results].filter(([, { behaviorClose }]) => !['OK', 'INFORMATIONAL'].includes(behaviorClose))
  t.strictSame(closed, [], 'every connection closed as it should')
})
