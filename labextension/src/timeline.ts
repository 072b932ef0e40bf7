/** The time axis: a lane for each thing that ran, so that what ran in parallel is seen. */
import { element } from './draw';
import type { Fold } from './fold';
import type { RunNode, ToolItem } from './tree';
import { called } from './rows';
import { ofRun, ofTool, seconds } from './words';

const SVG = 'http://www.w3.org/2000/svg';
const LANE = 18;
const MOST_LANES = 60;
/** Bars closer than this, in thousandths of the whole, become one. */
const NEAR = 2;
const TICKS = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600,
  1800, 3600
];

export interface Bar {
  key: string;
  from: number;
  to: number;
  label: string;
  look: string;
  tool: boolean;
}

export interface Lane {
  name: string;
  depth: number;
  bars: Bar[];
}

/** Lay out runs and tools in lanes; in one lane nothing overlaps. */
export function lanesOf(fold: Fold, now: number): Lane[] {
  const lanes: Lane[] = [];
  if (fold.root) {
    lay(fold.root, 0, lanes, now);
  }
  return lanes;
}

function lay(node: RunNode, depth: number, lanes: Lane[], now: number): void {
  const { words, look } = ofRun(node);
  const to = node.until ?? now;
  const label = `${node.name}, ${words}, ${seconds(to - node.at)}`;
  lanes.push({
    name: node.name,
    depth,
    bars: [{ key: node.key, from: node.at, to, label, look, tool: false }]
  });
  const tools = node.items.filter((item): item is ToolItem => item.kind === 'tool');
  const own: Lane[] = [];
  for (const tool of tools) {
    const bar = barOf(tool, now);
    let lane = own.find(each => (each.bars.at(-1)?.to ?? 0) <= bar.from);
    if (!lane) {
      lane = { name: '', depth: depth + 1, bars: [] };
      own.push(lane);
    }
    lane.bars.push(bar);
    const names = lane.name.split(', ');
    lane.name = names.includes(tool.name)
      ? lane.name
      : [...names, tool.name].filter(Boolean).join(', ');
  }
  lanes.push(...own);
  for (const item of node.items) {
    const below = item.kind === 'tool' ? item.items : [item];
    for (const each of below) {
      if (each.kind === 'run') {
        lay(each, depth + 1, lanes, now);
      }
    }
  }
}

function barOf(tool: ToolItem, now: number): Bar {
  const { standing, tail } = ofTool(tool);
  const busy = tool.status === 'running' || tool.status === 'writing';
  const to = tool.until ?? (busy ? now : tool.at);
  const label = [called(tool), ...tail].join(', ');
  return { key: tool.key, from: tool.at, to, label, look: standing.look, tool: true };
}

/** Join bars that no eye could tell apart; those that are joined are counted. */
export function joined(bars: Bar[], near: number): Bar[] {
  const told: Bar[] = [];
  const counts: number[] = [];
  for (const bar of bars) {
    const last = told.at(-1);
    if (last && bar.from - last.to < near && bar.to - last.from < 8 * near) {
      last.to = Math.max(last.to, bar.to);
      counts[counts.length - 1] += 1;
      last.label = `${counts[counts.length - 1]} calls`;
      last.look = bar.look === 'good' ? last.look : bar.look;
    } else {
      told.push({ ...bar });
      counts.push(1);
    }
  }
  return told;
}

export class Timeline {
  readonly node = element('div', 'nba-timeline');

  constructor(private readonly go: (key: string) => void) {
    this.node.setAttribute('role', 'group');
    this.node.setAttribute('aria-label', 'When it ran');
    const chosen = (event: Event) => {
      const key = (event.target as Element).closest<SVGElement>('[data-key]')?.dataset.key;
      if (key) {
        this.go(key);
      }
    };
    this.node.addEventListener('click', chosen);
    this.node.addEventListener('keydown', event => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key !== 'Enter' && !step) {
        return;
      }
      event.stopPropagation();
      event.preventDefault();
      if (step) {
        this.move(event.target as SVGElement, step);
      } else {
        chosen(event);
      }
    });
  }

  /** Go to the next bar, or the one before: all of them are one stop of the Tab key. */
  private move(from: SVGElement, step: number): void {
    const bars = [...this.node.querySelectorAll<SVGElement>('.nba-bar')];
    const next = bars[bars.indexOf(from) + step] as SVGElement | undefined;
    if (next) {
      bars.forEach(bar => bar.setAttribute('tabindex', bar === next ? '0' : '-1'));
      next.focus();
    }
  }

  /** Draw the lanes. */
  show(fold: Fold, now: number): void {
    const { root } = fold;
    if (!root) {
      this.node.replaceChildren();
      return;
    }
    const lanes = lanesOf(fold, now);
    const ends = lanes.flatMap(lane => lane.bars.map(bar => bar.to));
    const [from, to] = [root.at, ends.reduce((one, other) => Math.max(one, other), root.at)];
    const span = Math.max(to - from, 0.001);
    const shown = lanes.slice(0, MOST_LANES);
    const left = element('div', 'nba-lanes');
    const right = element('div', 'nba-bars');
    for (const lane of shown) {
      const name = element('div', 'nba-lane', lane.name || '\u00a0');
      name.style.paddingLeft = `${lane.depth * 10}px`;
      name.title = lane.name;
      left.append(name);
    }
    right.append(axis(span), drawing(shown, from, span));
    const more = lanes.length - shown.length;
    const focused = this.node.querySelector<SVGElement>('.nba-bar:focus')?.dataset.key;
    const rest = more > 0 ? [element('div', 'nba-quiet', `and ${more} lanes more`)] : [];
    this.node.replaceChildren(left, right, ...rest);
    const bars = [...right.querySelectorAll<SVGElement>('.nba-bar')];
    const current = bars.find(({ dataset }) => focused && dataset.key === focused);
    (current ?? bars.at(0))?.setAttribute('tabindex', '0');
    current?.focus();
  }
}

function axis(span: number): HTMLElement {
  const step = TICKS.find(each => span / each <= 6) ?? span / 4;
  const made = element('div', 'nba-axis');
  made.setAttribute('aria-hidden', 'true');
  for (let at = 0; at <= span; at += step) {
    const tick = element('span', '', step < 1 ? `${Number(at.toFixed(3))} s` : seconds(at));
    tick.style.left = `${(100 * at) / span}%`;
    made.append(tick);
  }
  return made;
}

function drawing(lanes: Lane[], from: number, span: number): SVGSVGElement {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', `0 0 1000 ${lanes.length * LANE}`);
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.style.height = `${lanes.length * LANE}px`;
  lanes.forEach((lane, index) => {
    for (const bar of joined(lane.bars, (NEAR * span) / 1000)) {
      const rect = document.createElementNS(SVG, 'rect');
      const width = Math.max(2, (1000 * (bar.to - bar.from)) / span);
      const left = Math.min((1000 * (bar.from - from)) / span, 1000 - width);
      rect.setAttribute('x', left.toFixed(1));
      rect.setAttribute('width', width.toFixed(1));
      rect.setAttribute('y', String(index * LANE + (bar.tool ? 5 : 3)));
      rect.setAttribute('height', String(bar.tool ? 8 : 12));
      rect.setAttribute('class', `nba-bar nba-bar-${bar.look}${bar.tool ? ' nba-bar-tool' : ''}`);
      rect.setAttribute('tabindex', '-1');
      rect.setAttribute('role', 'button');
      rect.setAttribute('aria-label', bar.label);
      rect.dataset.key = bar.key;
      const title = document.createElementNS(SVG, 'title');
      title.textContent = bar.label;
      rect.append(title);
      svg.append(rect);
    }
  });
  return svg;
}
