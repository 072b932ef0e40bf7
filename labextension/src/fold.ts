/** The fold: events, one after the other, into the tree that is drawn. */
import {
  add,
  grow,
  growCall,
  howItWentOn,
  leadOn,
  newNode,
  newTool,
  nextKey,
  parsed,
  retry
} from './growth';
import {
  change,
  type Item,
  type NodeStatus,
  number,
  type QuestionItem,
  type RunNode,
  sum,
  type ToolItem
} from './items';
import { States } from './states';
import { isObject } from './values';
import type {
  InputReceived,
  InputRequested,
  Message,
  RunCancelled,
  RunDocument,
  RunFailed,
  RunFinished,
  RunResumed,
  RunStarted,
  ToolFinished,
  Topology
} from './wire';

export type Event = RunDocument['events'][number];

const STOP_NOTES: Record<string, string> = {
  length: 'The answer was cut off: it reached its longest length.',
  filtered: "The vendor's content filter ended the answer."
};
const INTERRUPTED = 'Interrupted: the run was stopped before this tool answered.';

/** All that is drawn of one tree of runs. Feed it every event, in order. */
export class Fold {
  root: RunNode | null = null;
  topology: Topology | null = null;
  readonly states = new States();
  readonly nodes = new Map<string, RunNode>();
  /** When the last event happened, in seconds since the epoch. */
  lastAt = 0;
  /** Spans for which nothing ran, between a cut and going on. */
  readonly gaps: { from: number; to: number }[] = [];
  /** Events of runs whose beginning is missing. */
  lost = 0;

  private _tools = new Map<string, ToolItem>();
  private _questions = new Map<string, { node: RunNode; question: QuestionItem }>();
  private _cutAt = 0;

  /** Take the next event. Raises an error when it is broken; the next one can still be taken. */
  apply(event: Event): void {
    if (event.type === 'run_started') {
      this._open(event);
      return;
    }
    const node = this.nodes.get(event.run_id);
    if (!node) {
      this.lost += 1;
      return;
    }
    this._fold(node, event);
    touch(node);
    this.lastAt = number(event.at) || this.lastAt;
  }

  private _fold(node: RunNode, event: Exclude<Event, RunStarted>): void {
    switch (event.type) {
      case 'run_resumed':
        return this._resume(node, event);
      case 'text_delta':
        return grow(node, event.text, 'text');
      case 'thinking_delta':
        return grow(node, event.text, 'thinking');
      case 'tool_call_delta':
        return growCall(node, event.index, String(event.name), String(event.args).length);
      case 'turn_started':
        node.status = 'asking';
        node.turnStart = node.items.length;
        node.calls.clear();
        return;
      case 'message_finished':
        return this._finishMessage(node, event.message);
      case 'tool_started': {
        const tool = this._tool(node, event.call_id, event.name);
        Object.assign(tool, { status: 'running', args: event.args, result: null });
        tool.started = event.at;
        tool.rev = change();
        return this.states.use(`${node.path}/${tool.name}`, tool);
      }
      case 'tool_progress': {
        const tool = this._tool(node, event.call_id, '');
        tool.progress = event.data ?? null;
        tool.rev = change();
        return;
      }
      case 'tool_finished':
        return this._finishTool(node, event);
      case 'retrying':
        return retry(node, event);
      case 'handed_off': {
        const { source, target, reason } = event;
        add(node, { kind: 'handoff', key: '', rev: change(), source, target, reason });
        return this.states.take(node.path, source, target);
      }
      case 'edge_taken':
        if (typeof event.target === 'string') {
          this.states.take(node.path, event.source, event.target);
          leadOn(node, event.source);
        }
        return;
      case 'input_requested':
        return this._ask(node, event);
      case 'input_received':
        return this._answer(event);
      case 'run_finished':
        node.output = event.output ?? null;
        node.reason = event.limit ?? '';
        return this._close(node, event.limit ? 'limited' : 'finished', event);
      case 'run_failed':
        node.error = event.error;
        node.reason = event.message;
        return this._close(node, 'failed', event);
      case 'run_cancelled':
        node.reason = event.reason;
        return this._close(node, 'stopped', event);
    }
  }

  private _open(event: RunStarted): void {
    const stranger = !this.nodes.has(event.parent_id ?? '') && this.root;
    const parent = stranger ? this.root : (this.nodes.get(event.parent_id ?? '') ?? null);
    this.topology = event.topology ?? this.topology;
    const node = newNode(event, parent);
    this.nodes.set(event.run_id, node);
    this.lastAt = number(event.at);
    if (!parent) {
      this.root = node;
      node.path = event.name;
    } else if (typeof event.node === 'string' || stranger) {
      node.name = event.node ?? event.name;
      node.path = `${parent.path}/${node.name}`;
      parent.items.push(node);
    } else {
      const tool = this._tool(parent, event.call_id ?? '', event.name);
      node.path = `${parent.path}/${tool.name}`;
      tool.runs.push(node);
      tool.rev = change();
    }
    for (let above = parent; above && node.note; above = above.parent) {
      above.note = above.note || node.note;
    }
    touch(node);
    this.states.start(node);
  }

  /** Open a run again that was cut off, with a mark where it went on. */
  private _resume(node: RunNode, event: RunResumed): void {
    if (!node.parent) {
      this._cutAt = this.lastAt;
      this.gaps.push({ from: node.ended ?? this._cutAt, to: event.at });
    }
    node.off += Math.max(0, event.at - (node.ended ?? this._cutAt));
    if (!node.parent || event.note || (node.items.length && !node.waiting)) {
      const text = howItWentOn(node, event.at, this._cutAt);
      add(node, { kind: 'resumed', key: '', rev: change(), text, note: event.note });
    }
    Object.assign(node, { status: 'asking', ended: null, output: null, error: '', reason: '' });
    node.model = event.model ?? node.model;
    node.turnStart = node.items.length;
    node.calls.clear();
    for (const { node: asker, question } of this._questions.values()) {
      if (asker === node && !question.received && !question.isOpen) {
        setOpen(question, node, true);
      }
    }
  }

  private _ask(node: RunNode, event: InputRequested): void {
    const before = this._questions.get(event.question_id);
    if (before?.question.isOpen) {
      setOpen(before.question, before.node, false);
    }
    const tool = this._tools.get(toolKey(node, event.call_id ?? ''));
    const siblings: (Item | QuestionItem)[] = tool ? tool.questions : node.items;
    const key = tool ? `${tool.key}?${tool.questions.length}` : nextKey(node);
    const question: QuestionItem = {
      kind: 'question',
      key,
      rev: change(),
      asked: event,
      received: null,
      isOpen: false
    };
    this._questions.set(event.question_id, { node, question });
    siblings.push(question);
    setOpen(question, node, true);
    if (tool) {
      tool.rev = change();
    }
  }

  private _answer(event: InputReceived): void {
    const asked = this._questions.get(event.question_id);
    if (asked?.question.isOpen) {
      asked.question.received = event;
      setOpen(asked.question, asked.node, false);
      this.states.answered(asked.node.path);
    }
  }

  private _tool(node: RunNode, callId: string, name: string): ToolItem {
    const key = toolKey(node, callId);
    let tool = this._tools.get(key);
    if (!tool) {
      tool = add(node, newTool(name));
      this._tools.set(key, tool);
    }
    return tool;
  }

  /** Put the message in the place of its deltas; what happened on the way stays. */
  private _finishMessage(node: RunNode, message: Message): void {
    const made = node.items.splice(node.turnStart);
    node.items.push(...made.filter(item => item.kind === 'note'));
    node.calls.clear();
    for (const part of message.parts) {
      if (part.type === 'tool_call') {
        // Ids are only unique in their own message.
        const tool = add(node, newTool(part.name));
        tool.args = parsed(part.args);
        this._tools.set(toolKey(node, part.call_id), tool);
      } else if (part.type === 'file') {
        add(node, { kind: 'file', key: '', rev: change(), file: part });
      } else if ((part.type === 'text' || part.type === 'thinking') && part.text) {
        add(node, { kind: part.type, key: '', rev: change(), pieces: [part.text] });
      }
    }
    const note = STOP_NOTES[message.stop];
    if (note) {
      add(node, { kind: 'note', key: '', rev: change(), text: note });
    }
    node.turnStart = node.items.length;
    for (let spender: RunNode | null = node; spender && message.usage; spender = spender.parent) {
      spender.usage = sum(spender.usage, message.usage);
    }
  }

  private _finishTool(node: RunNode, event: ToolFinished): void {
    const tool = this._tool(node, event.call_id, event.result.name);
    const content = event.result.content;
    const first = content.length === 1 ? content[0] : null;
    const wasStopped = first?.type === 'text' && first.text === INTERRUPTED;
    const wasRefused = tool.status === 'writing' && tool.questions.length > 0;
    const failed = wasStopped ? 'stopped' : wasRefused ? 'refused' : 'failed';
    tool.status = event.result.is_error ? failed : 'done';
    tool.result = event.result;
    tool.seconds = number(event.seconds);
    tool.traceback = event.traceback ?? '';
    tool.progress = null;
    tool.rev = change();
  }

  private _close(
    node: RunNode,
    status: NodeStatus,
    event: RunFinished | RunFailed | RunCancelled
  ): void {
    node.status = status;
    node.ended = event.at;
    node.usage = isObject(event.usage) ? event.usage : node.usage;
    for (const { node: asker, question } of this._questions.values()) {
      if (asker === node && question.isOpen) {
        setOpen(question, node, false);
      }
    }
    for (const item of node.items) {
      if (item.kind === 'tool' && (item.status === 'writing' || item.status === 'running')) {
        item.status = 'stopped';
        item.rev = change();
      }
    }
  }
}

function toolKey(node: RunNode, callId: string): string {
  return `${node.runId}\n${callId}`;
}

function touch(node: RunNode | null): void {
  for (let above = node; above; above = above.parent) {
    above.rev = change();
  }
}

function setOpen(question: QuestionItem, node: RunNode, isOpen: boolean): void {
  question.isOpen = isOpen;
  question.rev = change();
  for (let above: RunNode | null = node; above; above = above.parent) {
    above.waiting += isOpen ? 1 : -1;
    above.hasAsked = true;
    above.rev = change();
  }
}
