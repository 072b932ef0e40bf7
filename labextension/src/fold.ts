/** The fold: from the events of a run to the tree that is drawn. */
import type {
  AnyEvent,
  Base,
  Item,
  QuestionItem,
  RunNode,
  RunStatus,
  ToolItem,
  Turn
} from './tree';
import { endOf, isEmpty, newRun, sum } from './tree';
import { clock } from './words';
import type { InputReceived, InputRequested, Message, RunStarted, Usage } from './wire';

const STOPS = new Map<string, string>([
  ['length', 'Incomplete: the answer reached its token limit.'],
  ['filtered', "Incomplete: the vendor's content filter stopped the answer."],
  ['paused', 'The vendor paused the answer; the next turn continues it.'],
  ['unknown', 'The answer ended for an unknown reason and may be incomplete.'],
  ['empty', 'The answer is empty.']
]);
/** What a message is made of. */
const MADE: ReadonlySet<Item['kind']> = new Set(['text', 'file', 'tool']);
export const INTERRUPTED = 'Interrupted: the run was stopped before this tool answered.';

/** All that is drawn of one tree of runs. Feed it every event, in order. */
export class Fold {
  root: RunNode | undefined;
  /** Counts the changes, for those who draw. */
  version = 0;
  lastAt = 0;
  lastSeq = 0;
  /** The links along which it went: pairs of paths. */
  readonly taken = new Map<string, [string, string]>();
  /** What ran, by its node in the topology. */
  readonly visits = new Map<string, (RunNode | ToolItem)[]>();
  /** The nodes of the topology that are tools: they may be left unused. */
  readonly toolPaths = new Set<string>();
  answered = 0;
  /** How many events are of runs whose beginning never came. */
  strays = 0;
  readonly runs = new Map<string, RunNode>();
  private readonly tools = new Map<string, ToolItem>();
  private readonly questions = new Map<string, { node: RunNode; item: QuestionItem }>();
  private cutAt = 0;

  apply(event: AnyEvent): void {
    this.version += 1;
    this.lastSeq = Math.max(this.lastSeq, event.seq);
    if (event.type === 'run_started') {
      this.open(event);
      this.lastAt = event.at || this.lastAt;
      return;
    }
    const node = this.runs.get(event.run_id);
    this.strays += node ? 0 : 1;
    if (node) {
      this.fold(node, event);
      this.lastAt = event.at || this.lastAt;
    }
  }

  private fold(node: RunNode, event: Exclude<AnyEvent, { type: 'run_started' }>): void {
    switch (event.type) {
      case 'run_resumed':
        return this.resume(node, event);
      case 'text_delta':
        return this.grow(node, event, false);
      case 'thinking_delta':
        return this.grow(node, event, true);
      case 'tool_call_delta':
        return this.growCall(node, event);
      case 'turn_started':
        node.status = 'asking';
        node.turnStart = node.items.length;
        node.calls.clear();
        return this.begin(node, event.at);
      case 'message_finished':
        return this.finishMessage(node, event.message, event);
      case 'tool_started': {
        const tool = this.tool(node, event.call_id, event.name, event);
        Object.assign(tool, { status: 'running', args: event.args, result: '', at: event.at });
        this.visit(`${node.path}/${tool.name}`, tool);
        return;
      }
      case 'tool_progress':
        this.tool(node, event.call_id, '', event).progress = event.data;
        return;
      case 'tool_finished':
        return this.finishTool(node, event);
      case 'retrying':
        return this.retry(node, event);
      case 'handed_off':
        node.items.push({ ...this.base(node, event), kind: 'handoff', ...pick(event) });
        return this.take(`${node.path}/${event.source}`, `${node.path}/${event.target}`);
      case 'edge_taken':
        if (event.target) {
          this.take(`${node.path}/${event.source}`, `${node.path}/${event.target}`);
          leadOn(node, event.source);
        }
        return;
      case 'input_requested':
        return this.ask(node, event);
      case 'input_received':
        return this.answer(event);
      case 'run_finished':
        node.output = event.output;
        node.reason = event.limit ?? '';
        return this.close(node, event.limit ? 'limited' : 'finished', event);
      case 'run_failed':
        node.error = event.error;
        node.reason = event.where ? `${event.message} (${event.where})` : event.message;
        return this.close(node, 'failed', event);
      case 'run_cancelled':
        node.reason = event.reason;
        return this.close(node, 'stopped', event);
    }
  }

  /** Place something at the end of a run: its key is its place, however often it is folded anew. */
  private base(node: RunNode, event: { at: number }): Base {
    // Retries are told only while a run is under way, so they do not count.
    return { key: `${node.key}.${node.items.length - node.retries}`, at: event.at };
  }

  /** Begin a turn; in a saved run the message is the first that is known of it. */
  private begin(node: RunNode, at: number): void {
    const number = node.turns.length + 1;
    const key = `${node.key} turn ${number}`;
    node.turns.push({ key, at, number, from: node.items.length });
  }

  private open(event: RunStarted): void {
    const parent = this.runs.get(event.parent_id ?? '');
    const node = newRun(event, parent);
    for (const { id, kind } of event.topology?.nodes ?? []) {
      if (kind === 'tool') {
        this.toolPaths.add(id);
      }
    }
    this.runs.set(node.id, node);
    if (!parent) {
      this.strays += this.root ? 1 : 0;
      this.root ??= node;
    } else if (event.node) {
      node.path = `${parent.path}/${event.node}`;
      node.name = event.node;
      parent.items.push(node);
    } else {
      const tool = this.tool(parent, event.call_id ?? '', event.name, event);
      node.path = `${parent.path}/${tool.name}`;
      tool.items.push(node);
    }
    for (let above = parent; above && node.note; above = above.parent) {
      above.note ||= node.note;
    }
    this.visit(node.path, node);
  }

  private resume(node: RunNode, event: Extract<AnyEvent, { type: 'run_resumed' }>): void {
    if (!node.parent) {
      this.cutAt = this.lastAt;
    }
    const gap = { at: event.at, seconds: Math.max(0, event.at - (node.until ?? this.cutAt)) };
    node.off += gap.seconds;
    node.gaps.push(gap);
    const before = node.items.length;
    if (!node.parent || event.note || (node.items.length && !node.waiting)) {
      const text = howItWentOn(node, event.at);
      const full = event.note ? `${text} ${event.note}` : text;
      node.items.push({ ...this.base(node, event), kind: 'note', text: full, resumed: true });
    }
    const turn = node.turns.at(-1);
    if (turn && !turn.said && turn.from >= before) {
      node.turns.pop();
    } else if (turn) {
      turn.to ??= before;
    }
    Object.assign(node, { status: 'asking', until: undefined, output: undefined });
    Object.assign(node, { error: '', reason: '', turnStart: node.items.length, since: event.at });
    node.model = event.model ?? node.model;
    node.calls.clear();
    for (const { node: asker, item } of this.questions.values()) {
      if (asker === node && !item.received && !item.open) {
        item.open = true;
        wait(node, 1);
      }
    }
  }

  private grow(node: RunNode, event: { at: number; text: string }, thinking: boolean): void {
    node.status = 'answering';
    const last = node.items.length > node.turnStart ? node.items.at(-1) : undefined;
    if (last?.kind === 'text' && last.thinking === thinking) {
      last.text += event.text;
    } else {
      node.items.push({ ...this.base(node, event), kind: 'text', thinking, text: event.text });
    }
  }

  private growCall(node: RunNode, event: Extract<AnyEvent, { type: 'tool_call_delta' }>): void {
    node.status = 'answering';
    let tool = node.calls.get(event.index);
    if (!tool) {
      tool = this.newTool(node, '', '', event);
      node.calls.set(event.index, tool);
      node.items.push(tool);
    }
    tool.name += event.name;
    tool.written += event.args.length;
  }

  /** Put the message in the place of its deltas; what happened on the way stays. */
  private finishMessage(node: RunNode, message: Message, event: { at: number }): void {
    const passing = node.items.splice(node.turnStart);
    node.items.push(...passing.filter(item => !MADE.has(item.kind)));
    node.calls.clear();
    const last = node.turns.at(-1);
    if (!last || last.said !== undefined) {
      const ended = last ? endOf(node, last, last.at) : node.since;
      this.begin(node, Math.max(node.since, ended));
    }
    Object.assign(node.turns.at(-1) as Turn, { said: event.at, usage: message.usage ?? undefined });
    for (const part of message.parts) {
      const base = this.base(node, event);
      if (part.type === 'tool_call') {
        const tool = this.newTool(node, part.name, part.call_id, event);
        tool.args = parsed(part.args);
        this.tools.set(`${node.id} ${part.call_id}`, tool);
        node.items.push(tool);
      } else if (part.type === 'file') {
        node.items.push({ ...base, kind: 'file', part });
      } else if ((part.type === 'text' || part.type === 'thinking') && part.text) {
        const thinking = part.type === 'thinking';
        node.items.push({ ...base, kind: 'text', thinking, text: part.text });
      }
    }
    const stop = STOPS.get(isEmpty(message) ? 'empty' : message.stop);
    if (stop) {
      const note = { kind: 'note' as const, text: stop, resumed: false };
      node.items.push({ ...this.base(node, event), ...note });
    }
    node.turnStart = node.items.length;
    const usage = message.usage;
    for (let spender: RunNode | undefined = node; spender && usage; spender = spender.parent) {
      spender.usage = sum(spender.usage, usage);
    }
  }

  private newTool(node: RunNode, name: string, callId: string, event: { at: number }): ToolItem {
    const fixed = { kind: 'tool' as const, name, callId, written: 0, status: 'writing' as const };
    return { ...this.base(node, event), ...fixed, result: '', files: [], seconds: 0, items: [] };
  }

  private tool(node: RunNode, callId: string, name: string, event: { at: number }): ToolItem {
    const key = `${node.id} ${callId}`;
    let tool = this.tools.get(key);
    if (!tool) {
      tool = this.newTool(node, name, callId, event);
      this.tools.set(key, tool);
      node.items.push(tool);
    }
    return tool;
  }

  private finishTool(node: RunNode, event: Extract<AnyEvent, { type: 'tool_finished' }>): void {
    const { result } = event;
    const tool = this.tool(node, event.call_id, result.name, event);
    const texts = result.content.filter(part => part.type === 'text').map(part => part.text);
    tool.result = texts.join('\n');
    tool.files = result.content.filter(part => part.type === 'file');
    const asked = tool.items.some(item => item.kind === 'question');
    const failed = tool.status === 'writing' && asked ? 'refused' : 'failed';
    const ended = tool.result === INTERRUPTED ? 'stopped' : failed;
    tool.status = result.is_error ? ended : 'done';
    tool.seconds = event.seconds;
    tool.until = event.at;
    tool.traceback = event.traceback ?? undefined;
    tool.progress = undefined;
  }

  private retry(node: RunNode, event: Extract<AnyEvent, { type: 'retrying' }>): void {
    if (event.restart) {
      node.items.splice(node.turnStart);
      node.calls.clear();
    }
    const wait = event.seconds >= 1 ? ` Again in ${event.seconds.toFixed(0)} s.` : ' Asked again.';
    const text = `Attempt ${event.attempt}: ${event.error}${wait}`;
    const key = `${node.key}.retry${node.retries}`;
    const note = { key, at: event.at, kind: 'note' as const, text, resumed: false };
    node.items.splice(node.turnStart, 0, note);
    node.turnStart += 1;
    node.retries += 1;
    node.status = 'asking';
  }

  private ask(node: RunNode, event: InputRequested): void {
    const before = this.questions.get(event.question_id);
    if (before?.item.open) {
      before.item.open = false;
      wait(before.node, -1);
    }
    const tool = this.tools.get(`${node.id} ${event.call_id ?? ''}`);
    const above = tool ?? node;
    const { key } = tool ? { key: `${tool.key}.${tool.items.length}` } : this.base(node, event);
    const item: QuestionItem = { key, at: event.at, kind: 'question', asked: event, open: true };
    this.questions.set(event.question_id, { node, item });
    (above.items as Item[]).push(item);
    wait(node, 1);
  }

  private answer(event: InputReceived): void {
    const found = this.questions.get(event.question_id);
    if (found?.item.open) {
      found.item.received = event;
      found.item.open = false;
      this.answered += 1;
      this.take(found.node.path, 'human');
      wait(found.node, -1);
    }
  }

  private close(
    node: RunNode,
    status: RunStatus,
    event: { at: number; usage?: Usage | null }
  ): void {
    node.status = status;
    node.until = event.at;
    node.usage = event.usage ?? node.usage;
    for (const { node: asker, item } of this.questions.values()) {
      if (asker === node && item.open) {
        item.open = false;
        wait(node, -1);
      }
    }
    for (const item of node.items) {
      if (item.kind === 'tool' && (item.status === 'writing' || item.status === 'running')) {
        item.status = 'stopped';
        item.until = event.at;
      }
    }
  }

  private take(source: string, target: string): void {
    this.taken.set(`${source}\n${target}`, [source, target]);
  }

  private visit(path: string, visitor: RunNode | ToolItem): void {
    const known = this.visits.get(path);
    if (known) {
      known.push(visitor);
    } else {
      this.visits.set(path, [visitor]);
    }
  }
}

function pick(event: { source: string; target: string; reason: string }) {
  return { source: event.source, target: event.target, reason: event.reason };
}

function wait(node: RunNode, change: number): void {
  for (let waiting: RunNode | undefined = node; waiting; waiting = waiting.parent) {
    waiting.waiting += change;
    waiting.hasAsked = true;
  }
}

function leadOn(node: RunNode, source: string): void {
  const last = node.items.findLast(item => item.kind === 'run' && item.name === source);
  if (last?.kind === 'run') {
    last.leadsOn = true;
  }
}

function howItWentOn(node: RunNode, at: number): string {
  const time = clock(at);
  if (node.waiting) {
    return `Asked again at ${time}.`;
  }
  if (node.status === 'stopped' && node.reason !== 'Cancelled') {
    return `Continued at ${time} after it was stopped.`;
  }
  const after: Partial<Record<RunStatus, string>> = {
    failed: 'it had failed',
    limited: 'it had reached its limit'
  };
  return `Continued at ${time} after ${after[node.status] ?? 'it was cut off'}.`;
}

function parsed(args: string): unknown {
  try {
    return JSON.parse(args || '{}');
  } catch {
    return args;
  }
}
