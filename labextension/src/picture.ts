/** The picture of a team: made safe, and painted with how far each node is. */
import type { Fold } from './fold';
import type { RunNode, ToolItem } from './tree';
import { element } from './draw';
import { seconds, secondsOf } from './words';

const ELEMENTS = new Set(
  'svg g path rect text tspan title defs use circle ellipse line polyline polygon'.split(' ')
);
const ATTRIBUTES = new Set(
  (
    'd x y x1 y1 x2 y2 cx cy r rx ry dx dy width height points viewBox transform fill ' +
    'fill-opacity stroke stroke-width stroke-dasharray stroke-linecap opacity font-size ' +
    'font-family font-weight text-anchor role aria-label data-node data-from data-to'
  ).split(' ')
);
const SVG = 'http://www.w3.org/2000/svg';

type Status = 'pending' | 'running' | 'waiting' | 'done' | 'failed' | 'skipped' | 'stopped';

const WORDS: Record<Status, string> = {
  pending: '',
  running: '● running',
  waiting: '? waits for you',
  done: '✓',
  failed: '✗ failed',
  skipped: '– skipped',
  stopped: '■ stopped'
};
const OF_RUNS: Record<string, Status> = {
  asking: 'running',
  answering: 'running',
  finished: 'done',
  limited: 'stopped',
  failed: 'failed',
  stopped: 'stopped'
};
const OF_TOOLS: Record<string, Status> = {
  writing: 'running',
  running: 'running',
  done: 'done',
  failed: 'failed',
  refused: 'stopped',
  stopped: 'stopped'
};

let pictures = 0;

/** Keep of an SVG what draws, and nothing that acts or loads; undefined when it is none. */
export function safe(source: string): SVGSVGElement | undefined {
  const parsed = new DOMParser().parseFromString(source, 'image/svg+xml').documentElement;
  pictures += 1;
  return parsed.localName === 'svg'
    ? (copied(parsed, `nba-${pictures}-`) as SVGSVGElement)
    : undefined;
}

/** Copy what is allowed; its ids are made its own, so that they name nothing else in the page. */
function copied(from: Element, prefix: string): SVGElement {
  const made = document.createElementNS(SVG, from.localName);
  for (const { name, value } of from.attributes) {
    if (name === 'id') {
      made.id = prefix + value;
    } else if (name === 'href' && from.localName === 'use' && value.startsWith('#')) {
      made.setAttribute(name, `#${prefix}${value.slice(1)}`);
    } else if (ATTRIBUTES.has(name) && !/url\s*\(|[\\]/i.test(value)) {
      made.setAttribute(name, value);
    }
  }
  for (const child of from.childNodes) {
    if (child instanceof Element) {
      // What is used could use itself, or so much that drawing never ends.
      const endless = child.localName === 'use' && child.closest('[id]');
      if (child.namespaceURI === SVG && ELEMENTS.has(child.localName) && !endless) {
        made.append(copied(child, prefix));
      }
    } else if (child.nodeType === Node.TEXT_NODE) {
      made.append(child.textContent ?? '');
    }
  }
  return made;
}

export class Picture {
  readonly node = element('div', 'nba-map');
  private source = '';
  private readonly groups = new Map<string, { group: SVGGElement; words: Element | null }>();
  private links: SVGElement[] = [];

  constructor(private readonly go: (path: string) => void) {
    this.node.addEventListener('click', event => this.chosen(event));
    this.node.addEventListener('keydown', event => {
      if (event.key === 'Enter' || event.key === ' ') {
        this.chosen(event);
      }
    });
  }

  /** Take the picture, if it is another one. */
  set(source: string): void {
    if (source === this.source) {
      return;
    }
    this.source = source;
    this.groups.clear();
    const svg = safe(source);
    this.node.replaceChildren(...(svg ? [svg] : []));
    if (!svg) {
      return;
    }
    svg.setAttribute('role', 'group');
    // What is used elsewhere takes no style from the page but the color of its text.
    for (const paint of ['fill', 'stroke']) {
      for (const part of svg.querySelectorAll(`defs [${paint}]:not([${paint}='none'])`)) {
        part.setAttribute(paint, 'currentColor');
      }
    }
    for (const group of svg.querySelectorAll<SVGGElement>('g[data-node]')) {
      const words = group.querySelector('tspan');
      this.groups.set(group.dataset.node ?? '', { group, words });
      group.tabIndex = 0;
      group.setAttribute('role', 'button');
    }
    this.links = [...svg.querySelectorAll<SVGElement>('path[data-from]')];
  }

  /** Show how far each node is. */
  paint(fold: Fold, now: number): void {
    const over = fold.root?.until !== undefined;
    for (const [path, { group, words }] of this.groups) {
      const { status, told } = standing(fold, path, over, now);
      group.dataset.status = status;
      const name = group.querySelector('text')?.firstChild?.textContent ?? path;
      group.setAttribute('aria-label', `${name}: ${told || 'not yet'}`);
      if (words) {
        words.textContent = told;
        fit(group);
      }
    }
    for (const link of this.links) {
      const { from, to } = link.dataset;
      const taken = fold.taken.has(`${from}\n${to}`) || fold.taken.has(`${to}\n${from}`);
      link.classList.toggle('nba-taken', taken);
    }
  }

  private chosen(event: Event): void {
    const path = (event.target as Element).closest<SVGGElement>('g[data-node]')?.dataset.node;
    if (path !== undefined) {
      event.preventDefault();
      event.stopPropagation();
      this.go(path);
    }
  }
}

/** Make the box of a title as wide as its words, which were others when it was laid out. */
function fit(group: SVGGElement): void {
  const [rect, text] = [group.querySelector('rect'), group.querySelector('text')];
  const { x, width } = text?.getBBox?.() ?? { x: 0, width: 0 };
  if (rect && x + width > Number(rect.getAttribute('width'))) {
    rect.setAttribute('width', String(Math.ceil(x + width + 10)));
  }
}

function standing(fold: Fold, path: string, over: boolean, now: number) {
  const all = fold.visits.get(path);
  if (all) {
    // A call that has opened a run is told once.
    const runs = all.filter(visit => visit.kind === 'run');
    return visited(runs.length ? runs : all, now);
  }
  if (path === 'human') {
    const waits = !over && (fold.root?.waiting ?? 0) > 0;
    const status: Status = waits ? 'waiting' : fold.answered ? 'done' : 'pending';
    return { status, told: [WORDS[status], fold.answered || ''].join(' ').trim() };
  }
  const status: Status = over && !fold.toolPaths.has(path) ? 'skipped' : 'pending';
  return { status, told: WORDS[status] };
}

function visited(visits: (RunNode | ToolItem)[], now: number) {
  const busy = visits.filter(visit => visit.until === undefined);
  const last = (busy.length ? busy : visits).at(-1) as RunNode | ToolItem;
  let status = last.kind === 'run' ? OF_RUNS[last.status] : OF_TOOLS[last.status];
  if (busy.some(visit => visit.kind === 'run' && visit.waiting)) {
    status = 'waiting';
  }
  const told = [WORDS[status]];
  if (visits.length > 1) {
    told.push(`${visits.length}×`);
  }
  const ended = visits.filter(visit => visit.until !== undefined);
  const taken = ended.reduce(
    (sum, visit) => sum + (visit.kind === 'run' ? secondsOf(visit, now) : visit.seconds),
    0
  );
  if (ended.length) {
    told.push(seconds(taken));
  }
  if (last.kind === 'run' && !last.replayed) {
    const all = visits.filter(visit => visit.kind === 'run');
    const tokens = all.reduce(
      (sum, { usage }) => sum + usage.input_tokens + usage.output_tokens,
      0
    );
    if (tokens) {
      told.push(`${tokens.toLocaleString('en')} tok`);
    }
  }
  return { status, told: told.join(' ') };
}
