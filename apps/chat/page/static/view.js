// @ts-check
import { textOf } from './room.js'

/** @typedef {import('./room.js').Room} Room */
/** @typedef {import('./room.js').Draft} Draft */

/**
 * @typedef {object} Line One message as it is shown.
 * @property {string} id The same for as long as the line is.
 * @property {string} user
 * @property {string} text
 * @property {number} time
 * @property {number} [offset] Absent until the server confirmed it.
 * @property {Draft} [draft]
 */

/** A message that comes sooner after one of the same person is shown as going on with it. */
const groupedWithinMs = 5 * 60_000
/** Closer to the end than this, in pixels, the view follows new messages: less than one press of an arrow key moves. */
const followWithinPx = 24
/** Closer to the top than this, in pixels, older messages are fetched. */
const olderWithinPx = 240

const clockFormat = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })
const dayFormat = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' })
const relativeFormat = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' })

/** @param {number} time */
function dayOf(time) {
  const midnight = new Date(time).setHours(0, 0, 0, 0)
  const daysAgo = Math.round((new Date().setHours(0, 0, 0, 0) - midnight) / 86_400_000)
  const name = daysAgo === 0 || daysAgo === 1 ? relativeFormat.format(-daysAgo, 'day') : dayFormat.format(time)
  return name.charAt(0).toLocaleUpperCase() + name.slice(1)
}

/** A colour of their own for each name, as degrees of hue. @param {string} name */
function hueOf(name) {
  let hash = 7
  for (const character of name) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 997
  return (hash * 137) % 360
}

/**
 * An element with text, never with markup.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} className
 * @param {string} [text]
 */
export function element(tag, className, text = '') {
  const made = document.createElement(tag)
  made.className = className
  made.textContent = text
  return made
}

/** A round sign for a person. @param {string} name */
export function avatar(name) {
  const [initial = '?'] = name
  const made = element('span', 'avatar', initial.toLocaleUpperCase())
  made.style.setProperty('--hue', String(hueOf(name)))
  made.ariaHidden = 'true'
  return made
}

/** @param {Room} room @returns {Line[]} */
function linesOf(room) {
  const { drafts, timeline, user } = room
  return [
    ...timeline.messages.map(({ offset, user, data, time }) => ({
      id: `${offset}`,
      user,
      text: textOf(data),
      time,
      offset,
    })),
    ...drafts
      .filter((draft) => !draft.published)
      .map((draft) => ({ id: draft.key, user, text: draft.text, time: draft.time, draft })),
  ]
}

/** The list of a room's messages: draws it and keeps the reader's place. */
export class MessageView {
  /** @type {Map<string, {item: HTMLLIElement, looks: string}>} */
  #items = new Map()
  /** @type {Room | null} */
  #room = null
  #wasLoading = true
  /** Where the scroller was left or last seen; when it is elsewhere, the reader has moved it. */
  #place = 0
  /** True while the reader is at the end. */
  following = true
  #list
  #scroller
  #onOlder

  /**
   * @param {HTMLElement} scroller
   * @param {HTMLOListElement} list
   * @param {() => void} onOlder Called when older messages would be in sight.
   */
  constructor(scroller, list, onOlder) {
    this.#scroller = scroller
    this.#list = list
    this.#onOlder = onOlder
    scroller.addEventListener('scroll', () => {
      this.#look()
      if (scroller.scrollTop < olderWithinPx) onOlder()
    })
    new ResizeObserver(() => this.following && this.toEnd()).observe(scroller)
  }

  toEnd() {
    this.following = true
    this.#moveTo(this.#scroller.scrollHeight)
  }

  /** @param {Room} room */
  draw(room) {
    if (room !== this.#room) {
      this.#room = room
      this.#items.clear()
      this.#list.replaceChildren()
      this.following = true
    } else if (this.#scroller.scrollTop !== this.#place) {
      // The reader scrolled, and the event that tells so is still to come.
      this.#look()
    }
    // Read aloud what is new, not pages of what was said before.
    this.#scroller.ariaLive = this.following && !this.#wasLoading ? 'polite' : 'off'
    this.#wasLoading = room.loading
    const anchor = this.following ? null : this.#firstInSight()
    this.#arrange(room)
    if (this.following) this.toEnd()
    else if (anchor !== null) {
      // By id and lower edge: its element is made anew when it no longer starts its day.
      const bottom = this.#items.get(anchor.id)?.item.getBoundingClientRect().bottom ?? anchor.bottom
      this.#moveTo(this.#scroller.scrollTop + bottom - anchor.bottom)
    }
    if (this.#scroller.scrollTop < olderWithinPx) this.#onOlder()
  }

  /** Finds out where the reader is. */
  #look() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller
    this.#place = scrollTop
    this.following = scrollHeight - scrollTop - clientHeight < followWithinPx
  }

  /** @param {number} place */
  #moveTo(place) {
    this.#scroller.scrollTop = place
    this.#place = this.#scroller.scrollTop
  }

  #firstInSight() {
    const { top } = this.#scroller.getBoundingClientRect()
    for (const [id, { item }] of this.#items) {
      const { bottom } = item.getBoundingClientRect()
      if (bottom > top) return { id, bottom }
    }
    return null
  }

  /** @param {Room} room */
  #arrange(room) {
    const before = this.#items
    this.#items = new Map()
    let place = this.#list.firstElementChild
    /** @type {Line | undefined} */
    let previous
    for (const line of linesOf(room)) {
      const startsDay = previous === undefined || dayOf(previous.time) !== dayOf(line.time)
      const startsGroup = startsDay || previous?.user !== line.user || line.time - previous.time > groupedWithinMs
      const looks = JSON.stringify([line.user, line.time, line.text, line.draft?.error, startsDay, startsGroup])
      const known = before.get(line.id)
      const item = known?.looks === looks ? known.item : this.#item(room, line, startsDay, startsGroup)
      this.#items.set(line.id, { item, looks })
      if (item === place) place = place.nextElementSibling
      else this.#list.insertBefore(item, place)
      previous = line
    }
    const kept = new Set([...this.#items.values()].map(({ item }) => item))
    for (const { item } of before.values()) if (!kept.has(item)) item.remove()
  }

  /**
   * @param {Room} room
   * @param {Line} line
   * @param {boolean} startsDay
   * @param {boolean} startsGroup
   */
  #item(room, line, startsDay, startsGroup) {
    const { draft, offset, text, time, user } = line
    const own = user === room.user
    const item = element('li', `line ${own ? 'own' : 'theirs'}`)
    item.dataset.state = draft === undefined ? 'sent' : draft.error === null ? 'sending' : 'failed'
    if (offset !== undefined) item.dataset.offset = String(offset)
    if (startsDay) item.append(element('p', 'day', dayOf(time)))
    if (startsGroup) {
      item.classList.add('first')
      const author = element('p', own ? 'author unseen' : 'author', user || 'anonymous')
      item.append(...(own ? [author] : [avatar(user), author]))
    }
    const bubble = element('p', 'bubble')
    const words = element('span', 'text', text)
    words.dir = 'auto'
    const clock = element('time', 'time', clockFormat.format(time))
    clock.dateTime = new Date(time).toISOString()
    bubble.append(words, clock)
    item.append(bubble)
    if (draft?.error != null) {
      const note = element('p', 'problem', `Not sent: ${draft.error}. `)
      const again = element('button', 'plain', 'Try again')
      again.addEventListener('click', () => room.tryAgain(draft))
      note.append(again)
      item.append(note)
    }
    return item
  }
}
