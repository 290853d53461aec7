// @ts-check
import { element } from './view.js'

/** @typedef {import('./room.js').Room} Room */

/** The address of a room within the page. @param {string} name */
export const addressOf = (name) => `#${encodeURIComponent(name)}`

/** The open rooms as links, each with what was not read in it. A link stays the same one, and so keeps the focus. */
export class RoomList {
  /** @type {Map<Room, {item: HTMLLIElement, link: HTMLAnchorElement, unread: HTMLSpanElement}>} */
  #entries = new Map()
  #list
  /** @type {Room | undefined} */
  #current

  /** @param {HTMLUListElement} list */
  constructor(list) {
    this.#list = list
  }

  /**
   * @param {Room[]} rooms
   * @param {Room} current
   */
  draw(rooms, current) {
    for (const [room, { item }] of this.#entries) {
      if (rooms.includes(room)) continue
      item.remove()
      this.#entries.delete(room)
    }
    for (const room of rooms) {
      const { link, unread } = this.#entries.get(room) ?? this.#add(room)
      link.ariaCurrent = room === current ? 'page' : null
      unread.textContent = String(room.unread)
      unread.hidden = room.unread === 0 || room === current
    }
    if (current === this.#current) return
    this.#current = current
    this.#entries.get(current)?.link.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }

  /** @param {Room} room */
  #add(room) {
    const item = element('li', '')
    const link = element('a', 'room', room.name)
    link.href = addressOf(room.name)
    const unread = element('span', 'unread')
    link.append(unread)
    item.append(link)
    const names = [...this.#entries.keys()].map(({ name }) => name)
    const place = names.filter((name) => name.localeCompare(room.name) < 0).length
    this.#list.insertBefore(item, this.#list.children[place] ?? null)
    const entry = { item, link, unread }
    this.#entries.set(room, entry)
    return entry
  }
}
