/** What can be read of a document: it may be broken, or from another version. */
import type { Fold } from './fold';
import type { AnyEvent } from './tree';
import type { RunDocument } from './wire';

/** The version of documents that this viewer knows. */
export const VERSION = 1;

type Check = (value: unknown) => boolean;

const text: Check = value => typeof value === 'string';
const number: Check = value => typeof value === 'number' && Number.isFinite(value);
const listOf =
  (check: Check): Check =>
  value =>
    Array.isArray(value) && value.every(check);
const maybe =
  (check: Check): Check =>
  value =>
    value == null || check(value);
const record =
  (fields: Record<string, Check>): Check =>
  value =>
    typeof value === 'object' &&
    value !== null &&
    Object.entries(fields).every(([name, check]) =>
      check((value as Record<string, unknown>)[name])
    );

// Maps, because a document may use any name: objects would also find `constructor`.
const PARTS = new Map<string, Check>([
  ['text', record({ text })],
  ['thinking', record({ text })],
  ['file', record({ media_type: text, name: maybe(text), data: maybe(text), url: maybe(text) })],
  ['tool_call', record({ call_id: text, name: text, args: text })]
]);
const part: Check = value =>
  record({ type: text })(value) && (PARTS.get((value as { type: string }).type)?.(value) ?? true);
const usage = record({ input_tokens: number, output_tokens: number, cached_tokens: number });
const message = record({ parts: listOf(part), usage: maybe(usage) });
const result = record({ name: text, content: listOf(part) });

const topology = record({ nodes: listOf(record({ id: text, kind: text })) });

/** What the fold and those who draw it rely on. */
const NEEDED: Record<AnyEvent['type'], Record<string, Check>> = {
  run_started: { name: text, kind: text, input: listOf(message), topology: maybe(topology) },
  run_resumed: { note: maybe(text) },
  turn_started: {},
  text_delta: { text },
  thinking_delta: { text },
  tool_call_delta: { index: number, name: text, args: text },
  message_finished: { message },
  tool_started: { call_id: text, name: text },
  tool_progress: { call_id: text },
  tool_finished: { call_id: text, result, seconds: number, traceback: maybe(text) },
  retrying: { attempt: number, error: text, seconds: number },
  handed_off: { source: text, target: text, reason: text },
  edge_taken: { source: text, target: maybe(text) },
  input_requested: { question_id: text, asker: text, prompt: text, reason: maybe(text) },
  input_received: { question_id: text, via: text },
  state_changed: {},
  run_finished: { usage: maybe(usage), limit: maybe(text) },
  run_failed: { usage: maybe(usage), error: text, message: text, where: maybe(text) },
  run_cancelled: { usage: maybe(usage), reason: text }
};
const EVENTS = new Map(Object.entries(NEEDED).map(([type, fields]) => [type, record(fields)]));
/** Fields that hold values of the user's or the model's, as in `document.py`. */
const VALUES = new Set([
  'output',
  'args',
  'schema',
  'details',
  'answer',
  'value',
  'data',
  'declared'
]);
const STAMPED = record({ type: text, run_id: text, seq: number, at: number });

/** Keep the events that can be read. */
export function sound(events: unknown): AnyEvent[] {
  const all: unknown[] = Array.isArray(events) ? events.map(inOrder) : [];
  return all.filter(
    (event): event is AnyEvent =>
      STAMPED(event) && (EVENTS.get((event as AnyEvent).type)?.(event) ?? false)
  );
}

/** Restore the values whose keys a notebook file would have sorted. */
function inOrder(event: unknown): unknown {
  const { ordered, ...rest } = (event ?? {}) as { ordered?: unknown };
  if (typeof ordered !== 'object' || ordered === null) {
    return event;
  }
  try {
    const values = Object.entries(ordered)
      .filter(([name]) => VALUES.has(name))
      .map(([name, json]) => [name, JSON.parse(String(json))]);
    return { ...rest, ...Object.fromEntries(values) };
  } catch {
    return rest;
  }
}

/** Say in a line what is wrong with a document of which so many events can be read and were folded. */
export function problemOf(document: RunDocument, known: number, fold: Fold): string {
  const { events, version } = document;
  if (!Array.isArray(events)) {
    return 'This document is broken: it has no list of events.';
  }
  const lost = events.length - known;
  const missing = known ? missingOf(document, fold) : '';
  const rest = (lost ? ` ${lost} of ${events.length} events cannot be read.` : '') + missing;
  if (version > VERSION) {
    return `This was written by a newer version of nbagents (format ${version}); what is known of it is shown.${rest}`;
  }
  if (version !== VERSION) {
    return `This is of a format that nbagents does not know; what can be read of it is shown.${rest}`;
  }
  if (rest) {
    return `${rest.trim()} ${known && !missing ? 'The others are shown.' : ''}`.trim();
  }
  return document.live || known ? '' : 'There are no events in this document.';
}

function missingOf(document: RunDocument, { root, strays }: Fold): string {
  if (!root) {
    return ' Its beginning is missing, so nothing of it is shown.';
  }
  if (root.id !== document.run_id) {
    return ' Its beginning is missing, so only a part of it is shown.';
  }
  return strays ? ' The beginning of a run in it is missing, so only a part of it is shown.' : '';
}
