/** Typed listeners. */

type Listener = (...values: any[]) => void;

/** `Events` maps a name to the arguments of its listeners. */
export class Emitter<Events extends Record<keyof Events, unknown[]>> {
  readonly #listeners = new Map<keyof Events, Set<Listener>>();

  /** Call `listener` at each `name`; the result takes it off again. */
  on<Name extends keyof Events>(name: Name, listener: (...values: Events[Name]) => void): () => void {
    const found = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, found.add(listener));
    return () => void found.delete(listener);
  }

  /** Call the listeners. One that throws stops neither the others nor the caller; its error goes to the platform. */
  emit<Name extends keyof Events>(name: Name, ...values: Events[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        listener(...values);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
