/** What a run is drawn as: the run, and the things that happened in it. */
import type { FilePart, InputReceived, InputRequested, ToolResultPart, Usage } from './wire';

export type NodeStatus = 'asking' | 'answering' | 'finished' | 'limited' | 'failed' | 'stopped';
export type ToolStatus = 'writing' | 'running' | 'done' | 'failed' | 'refused' | 'stopped';

/** What all parts of the tree have. */
interface Part {
  /** The same each time that the same events are folded, and unique in the tree. */
  key: string;
  /** Another number after each change. */
  rev: number;
}

/** Text that was said, or thought. */
export interface TextItem extends Part {
  kind: 'text' | 'thinking';
  pieces: string[];
}

/** A file that the model made. */
export interface FileItem extends Part {
  kind: 'file';
  file: FilePart;
}

/** Something that happened on the way, such as a retry. */
export interface NoteItem extends Part {
  kind: 'note';
  text: string;
}

/** Control passed from one member of a swarm to another. */
export interface HandoffItem extends Part {
  kind: 'handoff';
  source: string;
  target: string;
  reason: string;
}

/** A run that had been cut off went on. */
export interface ResumedItem extends Part {
  kind: 'resumed';
  text: string;
  /** What is not as it was when the run began. */
  note: string;
}

/** A question to a person, and the answer. */
export interface QuestionItem extends Part {
  kind: 'question';
  asked: InputRequested;
  received: InputReceived | null;
  isOpen: boolean;
}

/** A call of a tool, and the runs that it opened. */
export interface ToolItem extends Part {
  kind: 'tool';
  name: string;
  args: Record<string, unknown> | null;
  /** Characters of the arguments that have arrived, while they are being written. */
  written: number;
  status: ToolStatus;
  progress: unknown;
  result: ToolResultPart | null;
  /** Seconds since the epoch; null while it has not begun to run. */
  started: number | null;
  seconds: number;
  traceback: string;
  runs: RunNode[];
  questions: QuestionItem[];
}

/** A run, as it is drawn. */
export interface RunNode extends Part {
  kind: 'run';
  runId: string;
  name: string;
  /** `agent`, or the kind of team that runs. */
  what: string;
  model: string;
  note: string;
  question: string;
  /** Seconds since the epoch. */
  started: number;
  parent: RunNode | null;
  /** Its node in the topology. */
  path: string;
  status: NodeStatus;
  reason: string;
  error: string;
  output: unknown;
  ended: number | null;
  /** Seconds for which nothing ran, between a cut and going on. */
  off: number;
  usage: Usage;
  items: Item[];
  /** Open questions to a person, here and in all runs below. */
  waiting: number;
  /** Its answers were recorded ones, and cost nothing. */
  isReplayed: boolean;
  hasAsked: boolean;
  /** A graph went on from here. */
  leadsOn: boolean;
  /** Index of the first item of the message that is being made. */
  turnStart: number;
  /** The calls of the message that is being made, by their index. */
  calls: Map<number, ToolItem>;
}

export type Item =
  TextItem | FileItem | NoteItem | HandoffItem | ResumedItem | QuestionItem | ToolItem | RunNode;

export const NO_USAGE: Usage = { input_tokens: 0, output_tokens: 0, cached_tokens: 0, cost: '0' };

let changes = 0;

/** Return a number that no part of any tree has had yet. */
export function change(): number {
  return ++changes;
}

/** Return all of a text so far. */
export function textOf(item: TextItem): string {
  if (item.pieces.length > 1) {
    item.pieces = [item.pieces.join('')];
  }
  return item.pieces[0] ?? '';
}

/** Return the wall time of a run in seconds, until `now` for one that is not over. */
export function secondsOf(node: RunNode, now: number): number {
  return Math.max(0, (node.ended ?? now) - node.started - node.off);
}

/** Add tokens and money; an unknown price stays unknown. */
export function sum(one: Usage, other: Usage): Usage {
  const known = typeof one.cost === 'string' && typeof other.cost === 'string';
  return {
    input_tokens: number(one.input_tokens) + number(other.input_tokens),
    output_tokens: number(one.output_tokens) + number(other.output_tokens),
    cached_tokens: number(one.cached_tokens) + number(other.cached_tokens),
    cost: known ? String(Number(one.cost) + Number(other.cost)) : null
  };
}

/** Read a number that may be none. */
export function number(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}
