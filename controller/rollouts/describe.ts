import { refusal } from './refusal.ts'
import type { Phase, Reason, RolloutState } from './state.ts'
import { percentOf, workersOf } from './turn.ts'
import type { Turn } from './turn.ts'
import { isLate, isPersonsGate } from './waits.ts'

/** The state with the phase, the reason and the message that it shows. */
export function described(turn: Turn): RolloutState {
  const [phase, reason, text] = shown(turn)
  const waiting = refusal(turn.state, turn.spec.canary)
  return { ...turn.state, phase, reason, message: waiting === null ? text : `${text}; ${waiting}` }
}

function shown(turn: Turn): [Phase, Reason, string] {
  const { state, spec, seen } = turn
  const { stable, canary, restart } = state
  const isStableGone = workersOf(stable, seen) === 0
  switch (state.mode) {
    case 'settled': {
      const still = restart && `; restarts its workers, ${restart.left.length} to go after ${restart.current ?? 'this'}`
      return ['Healthy', 'RolloutHealthy', `${stable} serves${still ?? ''}`]
    }
    case 'replaced':
      return [
        'Degraded',
        'ServingVersionReplaced',
        `no worker of ${canary} lived, so ${stable} took over: "holdfast rollout retry ${state.name}" goes to ${canary}`,
      ]
    case 'invalid':
      return ['Degraded', 'InvalidSpec', `stableService is ${spec.stable}, but ${stable} serves`]
    case 'returning':
      return isStableGone
        ? ['Degraded', 'StableUnavailable', stranded(stable)]
        : [
            'Progressing',
            'RolloutReturning',
            `goes back to ${stable}: ${percentOf(canary, seen)} % are still at ${canary}`,
          ]
    case 'aborted': {
      const { reason, message } = state.abort!
      if (isStableGone) return ['Degraded', 'StableUnavailable', `${message}; ${stranded(stable)}`]
      return ['Degraded', reason, state.endedAt === null ? `${message}; goes back to ${stable}` : message]
    }
    case 'waiting':
    case 'stepping':
    case 'promoting':
      return underWay(turn)
  }
}

/** That workers of the canary ended, and how; null when none did. */
export function crashText({ canary, crashes, lastCrash }: RolloutState): string | null {
  if (crashes === 0) return null
  const who = crashes === 1 ? `a worker of ${canary} ended` : `${crashes} workers of ${canary} ended, the last`
  return `${who} ${lastCrash ?? 'without a word'}`
}

/** That nothing came nearer for too long, and what is known of why. */
export function lateText({ state, spec, seen }: Turn): string {
  const text = `nothing came nearer for ${spec.progressDeadlineMs / 1_000} s`
  const isGone = workersOf(state.canary, seen) === 0
  return withCrashes(isGone ? `${text}: no worker of ${state.canary} is up` : text, state)
}

function withCrashes(text: string, state: RolloutState): string {
  const crashes = crashText(state)
  return crashes === null ? text : `${text}; ${crashes}`
}

function stranded(stable: string): string {
  return `no worker of ${stable} is alive: slots stay where they are until one is`
}

function underWay(turn: Turn): [Phase, Reason, string] {
  const { state, spec, seen } = turn
  const { canary, hold, gate } = state
  if (hold !== null) return ['Paused', hold.reason, `${hold.message}; promote goes on`]
  if (isPersonsGate(gate)) return ['Paused', 'WaitingForGate', `waits for the webhook ${gate}`]
  if (isLate(turn)) {
    return ['Degraded', 'ProgressDeadlineExceeded', lateText(turn)]
  }
  if (gate !== null) return ['Progressing', 'RolloutProgressing', `waits for the webhook ${gate}`]
  if (workersOf(canary, seen) === 0) {
    return ['Progressing', 'WaitingForWorkers', withCrashes(`waits for a worker of ${canary}`, state)]
  }
  const had = `${canary} has ${percentOf(canary, seen)} % of ${state.weight} %`
  if (state.mode !== 'stepping') return ['Progressing', 'RolloutProgressing', state.mode === 'waiting' ? 'begins' : had]
  const current = spec.steps[state.step]
  const where = `step ${state.step + 1} of ${spec.steps.length}`
  if (current?.type === 'pause') {
    const until = current.durationMs === null ? 'until it is promoted' : `for ${current.durationMs / 1_000} s`
    return ['Paused', 'CanaryPauseStep', `${where}: paused ${until}`]
  }
  if (current?.type === 'analysis') return ['Progressing', 'RolloutProgressing', `${where}: analysis is under way`]
  return ['Progressing', 'RolloutProgressing', `${where}: ${had}`]
}
