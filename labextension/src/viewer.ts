/** The viewer of a run: a plain element, at home in JupyterLab and in any page. */
import { element, sign } from './draw';
import { Fold } from './fold';
import { type AnyEvent, trailOf } from './tree';
import { List } from './list';
import type { Typeset } from './math';
import { Picture } from './picture';
import { Marks } from './marks';
import { type Row, search, type Show } from './rows';
import { problemOf, sound } from './sound';
import { answerOf, asText } from './text';
import { Timeline } from './timeline';
import { facts, ofRun, seconds } from './words';
import type { RunDocument } from './wire';

const SHOWS: [Show, string][] = [
  ['all', 'Everything'],
  ['text', 'Text'],
  ['tools', 'Tools and agents'],
  ['questions', 'Questions'],
  ['problems', 'Problems']
];
const GO_ON = 'Continue with: ';
const PLAY_STEPS = 120;
const PLAY_MS = 50;

export class Viewer {
  readonly node = element('div', 'nba-viewer');
  private readonly title = element('div', 'nba-title');
  /** Opens and folds a run that nobody has asked to see. */
  private readonly crease = element('button', 'nba-button nba-crease');
  private readonly bar = element('div', 'nba-bar-of-tools');
  private readonly problem = element('p', 'nba-problem');
  private readonly finder = element('div', 'nba-finder');
  private readonly input = element('input', 'nba-input');
  private readonly select = element('select', 'nba-input');
  private readonly hits = element('span', 'nba-quiet');
  private readonly marks = new Marks();
  private readonly replay = element('div', 'nba-replay');
  private readonly slider = element('input', 'nba-slider');
  private readonly place = element('span', 'nba-quiet');
  private readonly ending = element('p', 'nba-how');
  private readonly list: List;
  private readonly picture = new Picture(path => this.goTo(path));
  private readonly timeline = new Timeline(key => this.reveal(key));
  private readonly opened = new Map<string, boolean>();
  private readonly buttons = new Map<string, HTMLButtonElement>();
  private document: RunDocument | undefined;
  private events: AnyEvent[] = [];
  private fold = new Fold();
  /** How many events are shown in a replay. */
  private position: number | undefined;
  private isFolded = false;
  private show: Show = 'all';
  private search = '';
  private frame = 0;
  private clock: ReturnType<typeof setInterval> | undefined;
  private player: ReturnType<typeof setInterval> | undefined;

  /** `typeset` draws the formulas in what is shown. */
  constructor(typeset: Typeset) {
    this.list = new List(row => this.toggle(row), typeset);
    this.node.setAttribute('role', 'group');
    this.ending.setAttribute('role', 'status');
    this.problem.setAttribute('role', 'note');
    this.toolbar();
    this.finderBar();
    this.replayBar();
    const head = element('div', 'nba-head', this.crease, this.title, this.bar);
    const columns = element('div', 'nba-columns', this.picture.node, this.list.node);
    const { finder, replay, timeline } = this;
    this.node.append(head, this.problem, finder, replay, timeline.node, columns, this.ending);
    for (const part of [finder, replay, timeline.node, this.picture.node, this.problem]) {
      part.hidden = true;
    }
    this.crease.type = 'button';
    this.crease.hidden = true;
    this.crease.addEventListener('click', () => this.folds(!this.isFolded));
  }

  /** True once there is something to see. */
  get isFilled(): boolean {
    return this.fold.root !== undefined;
  }

  /** Show a document, in the place of what was shown of the same run. */
  setDocument(document: RunDocument): void {
    const before = this.document;
    this.document = document;
    const events = sound(document.events);
    if (this.position !== undefined) {
      // Deltas are joined in it, so the same moment has another place.
      const seq = this.events[this.position - 1]?.seq ?? 0;
      this.showAt(events.filter(event => event.seq <= seq).length, events.length);
    }
    this.events = events;
    this.fold = folded(this.events);
    if (typeof document.picture === 'string') {
      this.picture.set(document.picture);
    }
    const hasPicture = this.picture.node.hasChildNodes();
    this.button('Map').hidden = !hasPicture;
    if (hasPicture && !before?.picture) {
      this.set('Map', this.picture.node, true);
    }
    this.tell(problemOf(document, this.events.length, this.fold));
    if (!before && document.folded === true) {
      this.crease.hidden = false;
      this.folds(true);
    }
    this.later();
  }

  /** Add what has just happened; an event counts once, by its number. */
  append(events: readonly AnyEvent[]): void {
    for (const event of sound(events)) {
      if (event.seq > this.fold.lastSeq) {
        this.events.push(event);
        this.fold.apply(event);
      }
    }
    this.later();
  }

  dispose(): void {
    cancelAnimationFrame(this.frame);
    clearInterval(this.clock);
    clearInterval(this.player);
    this.marks.show(this.list.node, '');
  }

  private folds(isFolded: boolean): void {
    this.isFolded = isFolded;
    this.node.classList.toggle('nba-folded', isFolded);
    this.crease.setAttribute('aria-expanded', String(!isFolded));
    this.later();
  }

  private tell(problem: string): void {
    this.problem.hidden = !problem;
    this.problem.textContent = problem && `⚠ ${problem}`;
  }

  /** Draw before the page is shown next, however much happens until then. */
  private later(): void {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      try {
        this.draw();
      } catch (error) {
        this.tell(`This run cannot be shown: ${String(error)}`);
      }
    });
  }

  private draw(): void {
    const { fold } = this;
    const shown = this.position === undefined ? fold : folded(this.events.slice(0, this.position));
    const { root } = shown;
    if (!root) {
      return;
    }
    const isLive = Boolean(this.document?.live) && fold.root?.until === undefined;
    const now = this.position === undefined && isLive ? Date.now() / 1000 : shown.lastAt;
    this.node.setAttribute('aria-label', `Run of ${root.name}`);
    const standing = ofRun(root);
    this.node.dataset.look = standing.look;
    const told = ` ${standing.words}`;
    const quiet = element('span', 'nba-quiet', ` · ${facts(root, now).join(' · ')}`);
    this.title.replaceChildren(element('b', '', root.name), ' ', sign(standing), told, quiet);
    if (root.note) {
      this.title.append(element('span', 'nba-badge', `⚠ ${root.note}`));
    }
    this.crease.setAttribute('aria-label', `Run of ${root.name}`);
    if (this.isFolded) {
      return;
    }
    const { opened, show } = this;
    const { rows, hits } = search(root, { opened, show, search: this.search });
    this.list.show(rows, now);
    const isSought = this.search !== '' || show !== 'all';
    this.hits.textContent = isSought ? (hits ? `${hits} found` : 'Nothing found') : '';
    this.marks.show(this.list.node, this.search);
    if (!this.picture.node.hidden) {
      this.picture.paint(shown, now);
    }
    if (!this.timeline.node.hidden) {
      this.timeline.show(shown, now);
    }
    this.drawPlace();
    this.drawEnding();
    this.tick(isLive);
  }

  private drawPlace(): void {
    const { events, position } = this;
    const at = position ?? events.length;
    this.slider.max = String(events.length);
    this.slider.value = String(at);
    const after = events.length ? events[Math.max(0, at - 1)].at - events[0].at : 0;
    const words = `${at} of ${events.length} · ${seconds(after)}`;
    this.place.textContent = words;
    this.slider.setAttribute('aria-valuetext', `event ${words}`);
  }

  private drawEnding(): void {
    const told = String(this.document?.ending ?? '');
    this.ending.hidden = !told || this.position !== undefined;
    const [words, code] = told.split(GO_ON);
    const inside = code === undefined ? [words] : [words + GO_ON, element('code', '', code)];
    this.ending.replaceChildren(...inside);
  }

  /** Let the clock of what runs go on. */
  private tick(isLive: boolean): void {
    if (isLive && this.clock === undefined) {
      this.clock = setInterval(() => this.later(), 1000);
    } else if (!isLive) {
      clearInterval(this.clock);
      this.clock = undefined;
    }
  }

  private toolbar(): void {
    this.bar.setAttribute('role', 'toolbar');
    this.bar.setAttribute('aria-label', 'View');
    const panes = { Map: this.picture.node, Time: this.timeline.node, Replay: this.replay };
    for (const [name, pane] of Object.entries({ ...panes, Find: this.finder })) {
      const button = this.newButton(name, () => {
        this.set(name, pane, pane.hidden);
        if (name === 'Replay') {
          this.play(false);
          this.position = undefined;
        }
        this.later();
        if (!pane.hidden) {
          pane.querySelector('input')?.focus();
        }
      });
      button.setAttribute('aria-pressed', 'false');
    }
    this.button('Map').hidden = true;
    this.newButton('Copy answer', () => void this.copy('Copy answer', answerOf(this.fold)));
    this.newButton('Copy', () => void this.copy('Copy', asText(this.fold, this.fold.lastAt)));
  }

  private newButton(name: string, press: () => void): HTMLButtonElement {
    const button = element('button', 'nba-button', name);
    button.type = 'button';
    button.addEventListener('click', press);
    this.buttons.set(name, button);
    this.bar.append(button);
    return button;
  }

  private button(name: string): HTMLButtonElement {
    return this.buttons.get(name) as HTMLButtonElement;
  }

  private set(name: string, pane: HTMLElement, shown: boolean): void {
    pane.hidden = !shown;
    this.button(name).setAttribute('aria-pressed', String(shown));
    this.node.classList.toggle(`nba-with-${name.toLowerCase()}`, shown);
    if (name === 'Find' && !shown) {
      this.search = this.input.value = '';
      this.show = 'all';
      this.select.value = 'all';
    }
  }

  private finderBar(): void {
    const { input, select } = this;
    input.type = 'search';
    input.placeholder = 'Find in this run';
    input.setAttribute('aria-label', 'Find in this run');
    input.addEventListener('input', () => {
      this.search = input.value.trim().toLowerCase();
      this.later();
    });
    select.setAttribute('aria-label', 'Show');
    select.append(...SHOWS.map(([value, words]) => new Option(words, value)));
    select.addEventListener('change', () => {
      this.show = select.value as Show;
      this.later();
    });
    this.hits.setAttribute('role', 'status');
    this.finder.append(input, select, this.hits);
    keepKeys(this.finder);
  }

  private replayBar(): void {
    const { slider, replay } = this;
    slider.type = 'range';
    slider.min = '1';
    slider.setAttribute('aria-label', 'Replay');
    slider.addEventListener('input', () => {
      this.play(false);
      this.showAt(Number(slider.value));
      this.later();
    });
    const button = element('button', 'nba-button', '▶ Play');
    button.type = 'button';
    button.addEventListener('click', () => this.play(this.player === undefined));
    this.buttons.set('Play', button);
    replay.append(button, slider, this.place);
    keepKeys(replay);
  }

  /** Show the run as it was after so many events; at the end it follows what still happens. */
  /** Go to a place in the replay; at its end, a run under way is followed. */
  private showAt(position: number, length = this.events.length): void {
    this.position = position < length ? position : undefined;
  }

  private play(on: boolean): void {
    clearInterval(this.player);
    this.player = undefined;
    this.button('Play').textContent = on ? '❚❚ Pause' : '▶ Play';
    if (!on) {
      return;
    }
    this.position ??= 0;
    const step = Math.max(1, Math.round(this.events.length / PLAY_STEPS));
    this.player = setInterval(() => {
      this.showAt((this.position ?? 0) + step);
      this.later();
      if (this.position === undefined) {
        this.play(false);
      }
    }, PLAY_MS);
  }

  private async copy(name: string, text: string): Promise<void> {
    const button = this.button(name);
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = 'Copied';
    } catch {
      button.textContent = 'Not allowed';
    }
    setTimeout(() => (button.textContent = name), 1500);
  }

  private toggle(row: Row): void {
    this.opened.set(row.key, !row.open);
    this.draw();
  }

  /** Go to the part of the tree that a node of the picture stands for. */
  private goTo(path: string): void {
    const visits = this.fold.visits.get(path);
    // A run that was called as a tool stands in the row of its call.
    const visit = visits?.findLast(each => each.kind === 'tool') ?? visits?.at(-1);
    if (visit) {
      this.reveal(visit.key);
    }
  }

  private reveal(wanted: string): void {
    const { root } = this.fold;
    // The outermost run has no row of its own: its head is the viewer's.
    const key = wanted === root?.key ? (root.items[0]?.key ?? wanted) : wanted;
    const trail = [...trailOf(this.fold.root, key), key];
    if (key === wanted) {
      trail.forEach(each => this.opened.set(each, true));
    }
    this.draw();
    if (!this.list.reveal(trail) && !this.finder.hidden) {
      this.set('Find', this.finder, false);
      this.draw();
      this.list.reveal(trail);
    }
  }
}

/** Nothing that is typed here is a command of the notebook. */
function keepKeys(bar: HTMLElement): void {
  bar.addEventListener('keydown', event => event.stopPropagation());
}

function folded(events: readonly AnyEvent[]): Fold {
  const fold = new Fold();
  events.forEach(event => fold.apply(event));
  return fold;
}
