/** The tree that is drawn: runs, and what happened in them. */
import type {
  Durable,
  Events,
  FilePart,
  InputReceived,
  InputRequested,
  Message,
  RunStarted,
  Usage
} from './wire';

export type AnyEvent = Events['events'][number] | Durable;
export type RunStatus = 'asking' | 'answering' | 'finished' | 'limited' | 'failed' | 'stopped';
export type ToolStatus = 'writing' | 'running' | 'done' | 'failed' | 'refused' | 'stopped';

export interface Base {
  /** Stays the same when the tree grows, or is folded anew. */
  key: string;
  /** When it began, in seconds since the epoch. */
  at: number;
}

export interface TextItem extends Base {
  kind: 'text';
  thinking: boolean;
  text: string;
}

export interface FileItem extends Base {
  kind: 'file';
  part: FilePart;
}

export interface NoteItem extends Base {
  kind: 'note';
  text: string;
  /** A run that had been cut off went on here. */
  resumed: boolean;
}

export interface HandoffItem extends Base {
  kind: 'handoff';
  source: string;
  target: string;
  reason: string;
}

export interface QuestionItem extends Base {
  kind: 'question';
  asked: InputRequested;
  received?: InputReceived;
  open: boolean;
}

export interface ToolItem extends Base {
  kind: 'tool';
  name: string;
  callId: string;
  args?: unknown;
  /** Characters of the arguments that have arrived, while they are being written. */
  written: number;
  status: ToolStatus;
  progress?: unknown;
  result: string;
  files: FilePart[];
  seconds: number;
  until?: number;
  traceback?: string;
  /** The questions that it asks, and the runs that it opens. */
  items: (QuestionItem | RunNode)[];
}

/** A request to the model, and what came of it until the next one. */
export interface Turn extends Base {
  number: number;
  /** Index of its first item. */
  from: number;
  /** Index behind its last item, where that is not the first one of the next turn. */
  to?: number;
  /** When its message had come whole. */
  said?: number;
  usage?: Usage;
}

export interface RunNode extends Base {
  kind: 'run';
  id: string;
  name: string;
  of: string;
  model: string;
  note: string;
  asked: string;
  /** Its node in the topology. */
  path: string;
  parent?: RunNode;
  status: RunStatus;
  reason: string;
  error: string;
  output?: unknown;
  until?: number;
  /** Seconds for which nothing ran, between a cut and going on. */
  off: number;
  usage: Usage;
  replayed: boolean;
  items: Item[];
  /** Open questions, here and in all runs below. */
  waiting: number;
  hasAsked: boolean;
  /** A graph went on from here. */
  leadsOn: boolean;
  /** Index of the first item of the message that is being made. */
  turnStart: number;
  /** When it began, or last went on. */
  since: number;
  /** When it went on, and for how long nothing had run. */
  gaps: { at: number; seconds: number }[];
  turns: Turn[];
  /** How often the model was asked again. */
  retries: number;
  /** The calls of the message that is being made, by their index. */
  calls: Map<number, ToolItem>;
}

export type Item = TextItem | FileItem | NoteItem | HandoffItem | QuestionItem | ToolItem | RunNode;

/** Make the node of a run that has just begun. */
export function newRun(event: RunStarted, parent: RunNode | undefined): RunNode {
  const last = event.input.at(-1);
  return {
    key: event.run_id,
    at: event.at,
    kind: 'run',
    id: event.run_id,
    name: event.name,
    of: event.kind,
    model: event.model ?? '',
    note: event.note ?? '',
    asked: last ? textOf(last) : '',
    path: event.name,
    parent,
    status: 'asking',
    reason: '',
    error: '',
    off: 0,
    usage: { input_tokens: 0, output_tokens: 0, cached_tokens: 0, cost: '0', estimated: false },
    replayed: Boolean(event.replayed),
    items: [],
    waiting: 0,
    hasAsked: false,
    leadsOn: false,
    turnStart: 0,
    since: event.at,
    gaps: [],
    turns: [],
    retries: 0,
    calls: new Map()
  };
}

/** Part the items of a run into its turns; those of a run with a single turn are not parted. */
export function byTurns({ items, turns }: RunNode): { turn?: Turn; items: Item[] }[] {
  if (turns.length < 2) {
    return [{ items }];
  }
  const parts: { turn?: Turn; items: Item[] }[] = [{ items: items.slice(0, turns[0].from) }];
  turns.forEach((turn, index) => {
    const next = turns[index + 1]?.from ?? items.length;
    const end = Math.min(turn.to ?? next, next);
    parts.push({ turn, items: items.slice(turn.from, end) }, { items: items.slice(end, next) });
  });
  return parts.filter(part => part.turn || part.items.length);
}

/** When a turn came to its end: with its message, or its last tool. */
export function endOf({ items, turns, until }: RunNode, turn: Turn, now: number): number {
  const next = turns[turn.number] as Turn | undefined;
  const own = items.slice(turn.from, turn.to ?? next?.from);
  const ends = own.map(item => (item.kind === 'tool' ? (item.until ?? item.at) : turn.at));
  const isOver = next !== undefined || until !== undefined;
  return Math.max(turn.said ?? turn.at, isOver ? turn.at : now, ...ends);
}

/** Add up what was spent; an unknown price stays unknown. */
export function sum(one: Usage, other: Usage): Usage {
  const known = one.cost != null && other.cost != null;
  return {
    input_tokens: one.input_tokens + other.input_tokens,
    output_tokens: one.output_tokens + other.output_tokens,
    cached_tokens: one.cached_tokens + other.cached_tokens,
    cost: known ? String(Number(one.cost) + Number(other.cost)) : null,
    estimated: Boolean(one.estimated) || Boolean(other.estimated)
  };
}

/** Tell whether an answer that ended well has nothing to show; a thought does not count. */
export function isEmpty(message: Message): boolean {
  const made = message.parts.some(part => part.type !== 'text' && part.type !== 'thinking');
  return message.stop === 'end' && !made && !textOf(message).trim();
}

function textOf(message: Message): string {
  return message.parts.map(part => (part.type === 'text' ? part.text : '')).join('');
}

/** List the keys of all that contains an item, from the outside. */
export function trailOf(root: RunNode | undefined, key: string): string[] {
  const found: string[] = [];
  const look = (items: readonly Item[], above: string[]): boolean =>
    items.some(item => {
      if (item.key === key) {
        found.push(...above);
        return true;
      }
      const trail = [...above, item.key];
      return item.kind === 'run'
        ? inRun(item, trail)
        : item.kind === 'tool' && look(item.items, trail);
    });
  const inRun = (node: RunNode, above: string[]): boolean =>
    byTurns(node).some(({ turn, items }) => look(items, turn ? [...above, turn.key] : above));
  if (root) {
    inRun(root, []);
  }
  return found;
}
