import type { Env } from '../../cluster/env.ts'
import type { Struck } from '../../cluster/faults/matching.ts'
import type { Timer } from '../../platform/clock.ts'
import { disconnects, errors } from '../../protocol/client/codes.ts'
import type { ClientError, CloseReason } from '../../protocol/client/codes.ts'
import type { ClientCommand } from '../../protocol/client/command.ts'
import { ProtocolError } from '../../protocol/client/errors.ts'
import { socketBytesMax } from '../sessions/backlog.ts'
import type { Session, SessionIntake } from '../sessions/session.ts'
import { newIntake } from '../sessions/session.ts'
import { refill } from '../sessions/token-bucket.ts'

/** Of what a session sends, so many characters count as one command; what is shorter counts as one too. */
export const commandChars = 4_096
/**
 * Whoever sends more than it may for so long without a break is closed. It is also what a command can wait before it is
 * looked at: SDKs give one up after five seconds.
 */
export const floodMs = 4_000
/** A single message, however long, holds its session back no longer than this. */
export const debtMsMax = 2_000
/**
 * While a socket holds more bytes than this, pings of its client are not answered. It is more than a slow one has from
 * what it is given as it takes it: some clients take no pong for no connection, whatever else they get.
 */
export const pongBacklogMax = 4 * socketBytesMax
/** How often sessions that are held back are looked at. */
export const intakeTickMs = 50

/** How fast a session may send, and how deep the JSON may be nested that is parsed for it. */
export interface IntakeOptions {
  /** Commands a second in the long run, and at once. */
  rate: number
  burst: number
  /** Subscribes beyond that, once for each session. */
  freeSubscribes: number
  jsonDepthLimit: number
}

/** What becomes of what sessions send. */
export interface IntakeOutcomes {
  perform: (session: Session, command: ClientCommand) => void
  close: (session: Session, reason: CloseReason) => void
  /** The command comes to nothing. */
  refuse: (session: Session, id: number, error: ClientError) => void
  /** What a fault may be limited by of a command, beside its user. */
  placeOf: (command: ClientCommand) => Pick<Struck, 'channel' | 'group'>
}

/**
 * What sessions send, taken in command by command as fast as each of them may. A session that is ahead of its rate is not
 * read: its commands wait where they are, at last in the client. All that costs anything counts: commands, long ones by
 * their length, messages without any, control frames, whether the session is connected or not.
 */
export class Intake {
  readonly #env: Env
  readonly #options: IntakeOptions
  readonly #then: IntakeOutcomes
  readonly #held = new Set<Session>()
  /** Runs while any session is held back. */
  #timer: Timer | null = null

  constructor(env: Env, options: IntakeOptions, then: IntakeOutcomes) {
    this.#env = env
    this.#options = options
    this.#then = then
  }

  /** For a session that begins. */
  begin(): SessionIntake {
    return newIntake(this.#options.burst, this.#options.freeSubscribes, this.#env.clock.monotonic())
  }

  /** One text message: any number of commands. */
  message(session: Session, text: string): void {
    const { intake } = session
    if (session.phase === 'closed') return this.#ignore(session, text.length)
    intake.messages.push(text)
    if (intake.messages.length === 1) return this.#serve(session)
    // Those that were read before the socket stopped; each costs at least one token.
    const { rate, burst } = this.#options
    if (intake.messages.length > burst + (rate * floodMs) / 1_000)
      this.#then.close(session, disconnects.tooManyRequests)
  }

  /** A ping or pong of the WebSocket itself. False for a ping that is better not answered. */
  control(session: Session): boolean {
    if (session.phase === 'closed') {
      this.#ignore(session, 0)
      return false
    }
    this.#refill(session.intake)
    this.#charge(session.intake, 1)
    this.#settle(session)
    return session.intake.tokens >= 0 && session.connection.bufferedBytes <= pongBacklogMax
  }

  /** What the session sent so far comes to nothing. */
  drop(session: Session): void {
    session.intake.messages = []
    session.intake.place = 0
    session.intake.struck = null
  }

  stop(): void {
    this.#timer?.cancel()
  }

  /** The other side of a close gets to say goodbye and little else. */
  #ignore({ intake, connection }: Session, length: number): void {
    intake.tokens -= Math.max(1, length / commandChars)
    if (intake.tokens < 0) connection.pause()
  }

  #serve(session: Session): void {
    const { intake } = session
    this.#refill(intake)
    while (intake.messages.length > 0 && this.#next(session));
    this.#settle(session)
  }

  /** Takes in one command, or blanks to the end of a message. False when it has to wait. */
  #next(session: Session): boolean {
    const { intake } = session
    if (intake.tokens < 1 && intake.freeSubscribes === 0) return false
    const text = intake.messages[0]!
    const found = session.connection.transport.find(text, intake.place)
    if (found === null) {
      const blanks = (text.length - intake.place) / commandChars
      this.#charge(intake, intake.place === 0 ? Math.max(1, blanks) : blanks)
      this.#advance(intake, text.length)
      return true
    }
    const { start, end } = found
    const command = this.#parse(session, text.slice(start, end))
    if (command === null) return false
    if (intake.struck === null && this.#env.faults.isSet) this.#meetFaults(session, command)
    if (intake.struck?.isWaiting) return false
    const cost = Math.max(1, (end - intake.place) / commandChars)
    if (command.method === 'subscribe' && intake.freeSubscribes > 0) {
      intake.freeSubscribes--
      this.#charge(intake, cost - 1)
    } else if (intake.tokens < 1) {
      intake.freeSubscribes = 0
      return false
    } else this.#charge(intake, cost)
    this.#advance(intake, end + 1)
    const abort = intake.struck?.strike.abort ?? null
    const fault = intake.struck?.strike.fault
    intake.struck = null
    if (abort === null) this.#then.perform(session, command)
    else if (abort.wsCloseCode !== undefined)
      this.#then.close(session, { code: abort.wsCloseCode, reason: `fault ${fault}` })
    else if ('id' in command) this.#then.refuse(session, command.id, injectedError(abort.code, `fault ${fault}`))
    return true
  }

  /** What befalls the command that is next. While it waits, what follows waits behind it and its socket is not read. */
  #meetFaults(session: Session, command: ClientCommand): void {
    // A pong is no command of anybody's: it answers a ping.
    if (!('id' in command)) return
    const { faults, clock } = this.#env
    const { user, intake } = session
    const strike = faults.strike('proxy.onFrame', [{ ...this.#then.placeOf(command), user }], { of: user })
    if (strike === null) return
    if (strike.isKilled) faults.kill(strike.fault)
    const struck = { strike, isWaiting: strike.delayMs > 0 }
    intake.struck = struck
    if (!struck.isWaiting) return
    clock.after(strike.delayMs, () => {
      struck.isWaiting = false
      if (session.phase !== 'closed') this.#serve(session)
    })
  }

  /** Null when it is none; the session is closed then. */
  #parse(session: Session, line: string): ClientCommand | null {
    try {
      return session.connection.transport.decode(line, this.#options.jsonDepthLimit)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      const { id, address } = session
      this.#env.logger.info({ session: id, address, problem: error.message }, 'client broke the protocol')
      this.#then.close(session, disconnects.badRequest)
      return null
    }
  }

  #advance(intake: SessionIntake, place: number): void {
    intake.place = place
    if (place < intake.messages[0]!.length) return
    intake.messages.shift()
    intake.place = 0
  }

  #refill(intake: SessionIntake): void {
    const { rate, burst } = this.#options
    // Whoever waits to be looked at loses nothing by it.
    const meanwhile = intake.heldSince === 0 ? 0 : (rate * intakeTickMs) / 1_000
    refill(intake, this.#env.clock.monotonic(), rate, burst + meanwhile)
  }

  #charge(intake: SessionIntake, tokens: number): void {
    intake.tokens = Math.max(intake.tokens - tokens, (-this.#options.rate * debtMsMax) / 1_000)
  }

  /** Reads the socket or does not. */
  #settle(session: Session): void {
    const { intake, connection } = session
    if (session.phase === 'closed') return
    const isPaused = intake.tokens < 0 || intake.messages.length > 0
    // Whoever a fault holds back sends no more than it may.
    if (isPaused && !intake.struck?.isWaiting) this.#hold(session)
    if (isPaused === intake.isPaused) return
    intake.isPaused = isPaused
    if (isPaused) connection.pause()
    else connection.resume()
  }

  #hold(session: Session): void {
    if (session.intake.heldSince !== 0) return
    session.intake.heldSince = this.#env.clock.monotonic()
    this.#held.add(session)
    this.#env.metrics.sessionsHeld.set(this.#held.size)
    this.#timer ??= this.#env.clock.after(intakeTickMs, () => this.#look())
  }

  #look(): void {
    const { clock, metrics } = this.#env
    const now = clock.monotonic()
    for (const session of this.#held) {
      const { intake } = session
      // Whoever was read since the last time and did not have to stop again has made a break.
      if (!intake.isPaused || intake.struck?.isWaiting) intake.heldSince = 0
      else if (now - intake.heldSince >= floodMs) this.#then.close(session, disconnects.tooManyRequests)
      else this.#serve(session)
      if (intake.heldSince === 0 || session.phase === 'closed') this.#held.delete(session)
    }
    metrics.sessionsHeld.set(this.#held.size)
    this.#timer = this.#held.size > 0 ? clock.after(intakeTickMs, () => this.#look()) : null
  }
}

/** The error of a fault: as the table has it where it has one, so that SDKs do what they do with such. */
function injectedError(code: number | undefined, message: string): ClientError {
  const { tooManyRequests: usual } = errors
  if (code === undefined) return { ...usual, message }
  const known = Object.values<ClientError>(errors).find((error) => error.code === code)
  return { ...known, code, message }
}
