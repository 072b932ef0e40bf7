/** The list: rows in a tree that can be walked by keyboard; of many rows only those in sight exist. */
import { become } from './become';
import { draw, element, signature } from './draw';
import type { Typeset } from './math';
import type { Row } from './rows';

const MOST_AT_ONCE = 300;
const MARGIN = 600;
const GUESS = 26;
const NEW_FORMULA = '.nba-formula:not([data-drawn])';

interface Drawn {
  element: HTMLElement;
  inside: HTMLElement;
  signature: string;
  place: string;
}

/** Where each row begins, from heights that were measured, or are guessed until they are. */
export class Heights {
  private readonly known = new Map<string, number>();

  set(key: string, height: number): void {
    this.known.set(key, height);
  }

  of(key: string): number {
    return this.known.get(key) ?? GUESS;
  }

  /** Return the first and the last row (not included) between two heights, and what is above and below. */
  window(keys: readonly string[], top: number, bottom: number) {
    let [above, index] = [0, 0];
    while (index < keys.length && above + this.of(keys[index]) < top) {
      above += this.of(keys[index]);
      index += 1;
    }
    const first = index;
    let height = above;
    while (index < keys.length && height < bottom) {
      height += this.of(keys[index]);
      index += 1;
    }
    const last = index;
    let below = 0;
    for (; index < keys.length; index += 1) {
      below += this.of(keys[index]);
    }
    return { first, last, above, below };
  }
}

export class List {
  readonly node = element('div', 'nba-list');
  private readonly above = element('div');
  private readonly below = element('div');
  private readonly drawn = new Map<string, Drawn>();
  private readonly heights = new Heights();
  private rows: Row[] = [];
  private keys: string[] = [];
  private current = '';
  private flashing = '';
  private now = 0;

  constructor(
    private readonly toggle: (row: Row) => void,
    private readonly typeset: Typeset
  ) {
    this.node.setAttribute('role', 'tree');
    this.node.setAttribute('aria-label', 'What happened');
    this.node.append(this.above, this.below);
    this.node.addEventListener('scroll', () => this.place());
    this.node.addEventListener('click', event => this.clicked(event));
    this.node.addEventListener('keydown', event => this.pressed(event));
  }

  get isWindowed(): boolean {
    return this.rows.length > MOST_AT_ONCE;
  }

  /** Show these rows; what was scrolled to, and what has the focus, stay. */
  show(rows: Row[], now: number): void {
    const { node } = this;
    const atEnd = this.isWindowed && node.scrollTop + node.clientHeight > node.scrollHeight - 4;
    const grows = rows.length > this.rows.length;
    this.rows = rows;
    this.keys = rows.map(row => row.key);
    this.now = now;
    node.classList.toggle('nba-windowed', this.isWindowed);
    this.place();
    if (atEnd && grows && this.isWindowed) {
      node.scrollTop = node.scrollHeight;
      this.place();
    }
  }

  /** Bring the last of these that has a row into sight, and give it the focus; false if none has. */
  reveal(trail: readonly string[]): boolean {
    const key = trail.findLast(each => this.keys.includes(each));
    if (key === undefined) {
      return false;
    }
    const index = this.keys.indexOf(key);
    if (this.isWindowed) {
      this.node.scrollTop = this.keys
        .slice(0, index)
        .reduce((sum, k) => sum + this.heights.of(k), 0);
    }
    this.current = key;
    this.flashing = key;
    // What comes into sight is as high as it is, and not as was guessed: once more from there.
    for (let time = 0; time < 2; time += 1) {
      this.place();
      this.drawn.get(key)?.element.scrollIntoView({ block: 'nearest' });
    }
    this.drawn.get(key)?.element.focus({ preventScroll: true });
    return true;
  }

  private place(): void {
    const { node } = this;
    const all = { first: 0, last: this.rows.length, above: 0, below: 0 };
    const { scrollTop, clientHeight } = node;
    const height = clientHeight || 600;
    const seen = this.isWindowed
      ? this.heights.window(this.keys, scrollTop - MARGIN, scrollTop + height + MARGIN)
      : all;
    const wanted = this.rows.slice(seen.first, seen.last);
    const kept = new Set(wanted.map(row => row.key));
    if (!kept.has(this.current)) {
      this.current = wanted[0]?.key ?? '';
    }
    for (const [key, { element: gone }] of this.drawn) {
      if (!kept.has(key)) {
        gone.remove();
        this.drawn.delete(key);
      }
    }
    this.above.style.height = `${seen.above}px`;
    this.below.style.height = `${seen.below}px`;
    let before: Element = this.above;
    for (const row of wanted) {
      const shown = this.one(row);
      if (before.nextElementSibling !== shown) {
        before.after(shown);
      }
      before = shown;
    }
    if (this.isWindowed) {
      this.measure(wanted, seen.above);
    }
  }

  /** Learn how high these rows are; those in sight stay where they are. */
  private measure(rows: Row[], above: number): void {
    const { node, heights } = this;
    const seen = node.scrollTop;
    const measured = rows.map(row => this.drawn.get(row.key)?.element.offsetHeight ?? GUESS);
    let [top, moved] = [above, 0];
    rows.forEach(({ key }, index) => {
      const guessed = heights.of(key);
      top += guessed;
      moved += top <= seen ? measured[index] - guessed : 0;
      heights.set(key, measured[index]);
    });
    if (moved) {
      node.scrollTop = seen + moved;
    }
  }

  private one(row: Row): HTMLElement {
    const signed = signature(row, this.now);
    let drawn = this.drawn.get(row.key);
    if (!drawn) {
      const inside = element('div', 'nba-inside');
      const made = element('div', 'nba-row', inside);
      made.setAttribute('role', 'treeitem');
      made.dataset.key = row.key;
      drawn = { element: made, inside, signature: '', place: '' };
      this.drawn.set(row.key, drawn);
    }
    const made = drawn.element;
    made.tabIndex = row.key === this.current ? 0 : -1;
    if (row.key === this.flashing) {
      this.flashing = '';
      made.classList.add('nba-flash');
      made.addEventListener('animationend', () => made.classList.remove('nba-flash'));
    }
    const place = `${row.depth} ${row.indent} ${row.open}`;
    if (drawn.place !== place) {
      drawn.place = place;
      stand(made, row);
    }
    if (drawn.signature !== signed || !drawn.inside.hasChildNodes()) {
      drawn.signature = signed;
      const inside = document.createDocumentFragment();
      inside.append(draw(row, this.now));
      become(drawn.inside, inside);
      for (const formula of drawn.inside.querySelectorAll<HTMLElement>(NEW_FORMULA)) {
        formula.dataset.drawn = '';
        this.typeset(formula);
      }
    }
    return made;
  }

  private clicked(event: Event): void {
    const target = event.target as Element;
    const row = this.rowOf(target);
    if (!row || target.closest('a, pre, .nba-markdown') || getSelection()?.type === 'Range') {
      return;
    }
    this.current = row.key;
    this.place();
    if (row.open !== undefined) {
      this.toggle(row);
    }
  }

  private pressed(event: KeyboardEvent): void {
    const index = this.keys.indexOf(this.rowOf(event.target as Element)?.key ?? '');
    const row = this.rows[index];
    if (!row || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const opens = event.key === 'ArrowRight' && row.open === false;
    const closes = event.key === 'ArrowLeft' && row.open === true;
    if (
      opens ||
      closes ||
      ((event.key === 'Enter' || event.key === ' ') && row.open !== undefined)
    ) {
      this.toggle(row);
    } else {
      const next = this.next(index, event.key);
      if (next === undefined) {
        return;
      }
      this.focus(next);
    }
    // The notebook would take them for its own commands.
    event.preventDefault();
    event.stopPropagation();
  }

  private next(index: number, key: string): number | undefined {
    const { rows } = this;
    switch (key) {
      case 'ArrowDown':
      case 'ArrowRight':
        return Math.min(index + 1, rows.length - 1);
      case 'ArrowUp':
        return Math.max(index - 1, 0);
      case 'ArrowLeft':
        return rows.findLastIndex((row, at) => at < index && row.depth < rows[index].depth);
      case 'Home':
        return 0;
      case 'End':
        return rows.length - 1;
      default:
        return undefined;
    }
  }

  private focus(index: number): void {
    const row = this.rows[Math.max(0, index)];
    if (!this.drawn.has(row.key)) {
      this.reveal([row.key]);
      this.drawn.get(row.key)?.element.classList.remove('nba-flash');
      return;
    }
    this.current = row.key;
    this.drawn.forEach(({ element: each }, key) => {
      each.tabIndex = key === row.key ? 0 : -1;
    });
    this.drawn.get(row.key)?.element.focus();
  }

  private rowOf(target: Element): Row | undefined {
    const key = target.closest<HTMLElement>('.nba-row')?.dataset.key;
    return this.rows.find(row => row.key === key);
  }
}

/** Put a row in its place in the tree; what is in it stays as it is. */
function stand(made: HTMLElement, { depth, indent, open }: Row): void {
  made.style.setProperty('--nba-depth', String(indent));
  made.classList.toggle('nba-flush', indent === 0 && open === undefined);
  made.setAttribute('aria-level', String(depth + 1));
  if (open === undefined) {
    made.removeAttribute('aria-expanded');
  } else {
    made.setAttribute('aria-expanded', String(open));
  }
}
