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
    usage: { input_tokens: 0, output_tokens: 0, cached_tokens: 0, cost: '0' },
    replayed: Boolean(event.replayed),
    items: [],
    waiting: 0,
    hasAsked: false,
    leadsOn: false,
    turnStart: 0,
    retries: 0,
    calls: new Map()
  };
}

function textOf(message: Message): string {
  return message.parts.map(part => (part.type === 'text' ? part.text : '')).join('');
}
