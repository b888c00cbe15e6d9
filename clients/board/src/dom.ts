/** Elements without markup in strings: whatever people wrote becomes a text node, and nothing else. */

type Child = Node | string | null | undefined | false;
type Props = Record<string, unknown>;

const SVG = 'http://www.w3.org/2000/svg';

/** An HTML element. `on…` are listeners, `true` is an attribute without a value, `false` and null are none. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), props, children);
}

/** An SVG element. */
export function s<K extends keyof SVGElementTagNameMap>(tag: K, props: Props = {}, ...children: Child[]): SVGElementTagNameMap[K] {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill<E extends Element>(element: E, props: Props, children: Child[]): E {
  for (const [name, value] of Object.entries(props)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value as EventListener);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children) if (child) element.append(child);
  return element;
}

/** Put text into an element, if it is another one than before: what is read aloud is not read twice. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Show or hide. */
export function show(element: Element, on: boolean): void {
  element.toggleAttribute('hidden', !on);
}

/**
 * Make the children of `parent` those of `items`, in order. An element stays the same as long as its item's key does,
 * so focus and scroll survive; `update` is called where the item is another object.
 */
export class Keyed<T, E extends Element> {
  #made = new Map<string, { item: T; element: E }>();

  constructor(
    private readonly parent: Element,
    private readonly key: (item: T) => string,
    private readonly make: (item: T) => E,
    private readonly update: (element: E, item: T) => void = () => undefined,
  ) {}

  /** The element of a key. */
  get(key: string): E | undefined {
    return this.#made.get(key)?.element;
  }

  set(items: readonly T[]): void {
    const next = new Map<string, { item: T; element: E }>();
    for (const item of items) {
      const key = this.key(item);
      const known = this.#made.get(key);
      const element = known?.element ?? this.make(item);
      if (!known || known.item !== item) this.update(element, item);
      next.set(key, { item, element });
    }
    for (const [key, { element }] of this.#made) if (!next.has(key)) element.remove();
    this.#made = next;
    let before: ChildNode | null = this.parent.firstChild;
    for (const { element } of next.values()) {
      if (before === element) before = element.nextSibling;
      else this.parent.insertBefore(element, before);
    }
  }
}

/** A button with words on it. */
export function button(words: string, onclick: (event: MouseEvent) => void, props: Props = {}): HTMLButtonElement {
  return h('button', { type: 'button', onclick, ...props }, words);
}

/** One field of a form with its label; `hint` stands below it. */
export function field(label: string, input: HTMLElement, hint = ''): HTMLElement {
  const id = (input.id ||= `f${(count += 1)}`);
  const below = hint ? h('small', { id: `${id}-hint` }, hint) : null;
  if (below) input.setAttribute('aria-describedby', below.id);
  return h('div', { class: 'field' }, h('label', { for: id }, label), input, below);
}
let count = 0;

/** A choice of one. Options are `[value, words]`. */
export function choice(options: readonly (readonly [string, string])[], value: string, props: Props = {}): HTMLSelectElement {
  const made = h('select', props, ...options.map(([one, words]) => h('option', { value: one }, words)));
  if (options.some(([one]) => one === value)) made.value = value;
  return made;
}
