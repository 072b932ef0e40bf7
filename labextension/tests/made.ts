/** Events and documents that are made for a test, or were written by a real run. */
import { Fold } from '../src/fold';
import type { AnyEvent, Item, RunNode, ToolItem } from '../src/tree';
import type { FilePart, RunDocument, ToolResultPart, Usage } from '../src/wire';
import agent from './samples/agent.nbagents.json';
import asking from './samples/asking.nbagents.json';
import failing from './samples/failing.nbagents.json';
import graph from './samples/graph.nbagents.json';
import nested from './samples/nested.nbagents.json';
import swarm from './samples/swarm.nbagents.json';
import waiting from './samples/waiting.nbagents.json';

// Here nothing is laid out, so there is nowhere to scroll.
if (typeof Element !== 'undefined') {
  Element.prototype.scrollIntoView ??= () => undefined;
}

type Told = Partial<Record<string, unknown>>;

const WRITTEN: Record<string, unknown> = { agent, nested, swarm, graph, asking, waiting, failing };
export const NAMES = Object.keys(WRITTEN);

export function sample(name: string): RunDocument {
  return structuredClone(WRITTEN[name]) as RunDocument;
}

export function folded(events: readonly AnyEvent[]): Fold {
  const fold = new Fold();
  events.forEach(event => fold.apply(event));
  return fold;
}

export const usage = (tokens: number, cost: string | null = '0'): Usage => ({
  input_tokens: tokens,
  output_tokens: 1,
  cached_tokens: 0,
  cost,
  estimated: false
});

/** Makes the events of a tree of runs, one a second. */
export class Story {
  readonly events: AnyEvent[] = [];

  add(type: AnyEvent['type'], more: Told = {}, run = 'r'): this {
    const seq = this.events.length + 1;
    this.events.push({ type, run_id: run, seq, at: 1000 + seq, ...more } as unknown as AnyEvent);
    return this;
  }

  start(run = 'r', more: Told = {}): this {
    return this.add('run_started', { name: run, kind: 'agent', input: [], ...more }, run);
  }

  says(text: string, run = 'r'): this {
    return this.message([{ type: 'text', text }], run);
  }

  message(parts: object[], run = 'r', more: Told = {}): this {
    const message = { role: 'assistant', parts, stop: 'end', usage: usage(10), ...more };
    return this.add('message_finished', { message }, run);
  }

  calls(...ids: string[]): this {
    return this.message(ids.map(id => ({ type: 'tool_call', call_id: id, name: id, args: '{}' })));
  }

  works(id: string): this {
    return this.add('tool_started', { call_id: id, name: id, args: {} });
  }

  answers(id: string, more: Partial<ToolResultPart> = {}, traceback?: string): this {
    const content = [{ type: 'text', text: `${id} is done` }];
    const result = { type: 'tool_result', call_id: id, name: id, content, is_error: false };
    const told = { result: { ...result, ...more }, seconds: 1, traceback };
    return this.add('tool_finished', { call_id: id, ...told });
  }

  asks(id: string, call?: string): this {
    const asked = { question_id: id, asker: 'r', prompt: `${id}?`, reason: '', schema: {} };
    return this.add('input_requested', { ...asked, call_id: call });
  }

  hears(id: string, answer: unknown = 'yes'): this {
    return this.add('input_received', { question_id: id, answer, via: 'form' });
  }

  ends(run = 'r', more: Told = {}): this {
    return this.add('run_finished', { output: 'end', usage: usage(10), files: [], ...more }, run);
  }

  document(more: Partial<RunDocument> = {}): RunDocument {
    const fixed = { run_id: 'r', version: 1, live: false, ending: '', replayed: false };
    return { ...fixed, folded: false, events: this.events as RunDocument['events'], ...more };
  }

  get root(): RunNode {
    return folded(this.events).root as RunNode;
  }
}

export function tools(node: RunNode): ToolItem[] {
  return node.items.filter(item => item.kind === 'tool');
}

/** List all that is in a run, in the order in which it is told. */
export function all(items: readonly Item[]): Item[] {
  return items.flatMap(item => ('items' in item ? [item, ...all(item.items)] : [item]));
}

export const picture: FilePart = { type: 'file', media_type: 'image/png', data: 'aGk-_w' };
