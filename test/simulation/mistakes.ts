/** Mistakes that the simulation has found, with what brings each back. */
import type { Edit } from './mutants.ts'

/** A mistake that a seed once showed: what it was, the edits that make it again, and a seed that shows it. */
export interface Mistake {
  seed: number
  edits: Edit[]
}

/**
 * Mistakes of the production code that the simulation found. The suite replays each seed, and shows that it still sees
 * the mistake when that is made again. When a change of the simulation makes it blind to one, `npm run simulate --
 * --mutant NAME` finds another seed. Those that not one seed in thousands shows have their tests by hand:
 *
 * - channels read before the place of their slot, or before the store went back (test/worker/slot/takeover.test.ts, "what is
 *   committed while a successor warms up" and the two last);
 * - a slot that is lost to nobody (test/controller/members/members.test.ts, "who is new, leaves or changes"), or that its owner
 *   does not know to be lost, and does not take again (test/worker/ownership.test.ts);
 * - a new controller that knows neither how far slots were, nor which term workers follow (test/delivery/store-went-back.test.ts,
 *   "twice, and the second time nobody is left who saw it"; test/delivery/controllers.test.ts, the last), and an incarnation
 *   that is used before anybody else knows of it (test/delivery/store-went-back.test.ts, the last);
 * - slots that a third version took over and that count as back, and a version that took over and loses the slots again
 *   (test/controller/rollouts/cluster-view.test.ts, "it is not while a third version has slots"; step.test.ts, "another serving
 *   version");
 * - a slot that was let go, or whose owner died, and that waits as if its owner lived (test/controller/placement/
 *   reconcile.test.ts, "whoever hands over is given its patience"; test/worker/hand-off-policy.test.ts, the last).
 */
export const mistakes: Record<string, Mistake> = {
  'a recovery that begins as its channel opens has no place in flight': {
    seed: 16,
    edits: [
      {
        file: 'proxy/dispatcher.ts',
        from: '        this.#uplink.answer(slot, event.n, done)\n        return this.#hub.subscribed(event)\n',
        to: '        this.#hub.subscribed(event)\n        this.#uplink.answer(slot, event.n, done)\n        return\n',
      },
    ],
  },
  'a client that saw more than its new proxy has goes back': {
    seed: 333,
    edits: [
      {
        file: 'proxy/channels/machine.ts',
        from: 'joining.hasCaughtUp || !isAhead(',
        to: '!joining.hasCaughtUp || !isAhead(',
      },
    ],
  },
  'a store loses the raise of an incarnation': {
    seed: 4_620,
    edits: [
      {
        file: 'store/embedded/leases.ts',
        from: 'isFurther(announced, before)',
        to: 'isFurther(announced, { ...before, incarnation: announced.incarnation })',
      },
    ],
  },
  'what the log lost counts as in flight for ever': {
    seed: 3498,
    edits: [
      {
        file: 'proxy/channels/position-check.ts',
        from: 'unanswered === 0 || unanswered > checksUnanswered',
        to: 'unanswered === 0',
      },
    ],
  },
  'one request without an answer ends a proxy that starts': {
    seed: 7,
    edits: [
      {
        file: 'proxy/echo.ts',
        from: `    const range = await untilAnswered(
      this.#env,
      () => this.#env.log.range(heartbeatTopic, this.#partition),
      () => this.#isStopped,
    )
`,
        to: '    const range = await this.#env.log.range(heartbeatTopic, this.#partition)\n',
      },
    ],
  },
  'two instances that end at once overtake each other in the log': {
    seed: 25,
    edits: [
      {
        file: 'controller/members/instances.ts',
        from: 'const lane = this.#lanes.getOrInsertComputed(',
        to: 'const lane = new Map<string, AppendLane>().getOrInsertComputed(',
      },
    ],
  },
  'a leader is believed however far ahead its time lies': {
    seed: 11,
    edits: [{ file: 'store/embedded/cluster.ts', from: 'isHeld && held.until <= now + ttlMs', to: 'isHeld' }],
  },
  'a store and its clock go back: new terms are below those that workers know': {
    seed: 1_512,
    edits: [
      { file: 'controller/leading/leadership.ts', from: 'Math.max(this.#heard, term)', to: 'Math.max(this.#heard, 0)' },
    ],
  },
  'a restart waits for a worker that does not come back': {
    seed: 765,
    edits: [
      {
        file: 'controller/rollouts/step.ts',
        from: 'live >= wanted || (live >= least && ',
        to: 'live >= wanted || (live < 0 && ',
      },
    ],
  },
}
