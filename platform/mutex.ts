/** Runs tasks one after another, in the order in which they came. */
export class Mutex {
  #last: Promise<unknown> = Promise.resolve()

  /** Resolves, or rejects, as the task does; one that rejects holds up no other. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last.then(task)
    this.#last = result.catch(() => {})
    return result
  }
}
