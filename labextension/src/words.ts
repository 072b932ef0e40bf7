/** The signs and words for how things stand. No state is told by its colour alone. */
import { exact, visible } from '../../nbagents/notebook/forms/visible.js';
import {
  endOf,
  type QuestionItem,
  type RunNode,
  type ToolItem,
  type ToolStatus,
  type Turn
} from './tree';
import type { Usage } from './wire';

/** A sign, what it says, and the class that colours it. */
export interface Standing {
  sign: string;
  words: string;
  look: 'busy' | 'good' | 'warn' | 'bad' | 'still';
}

const RUNS: Record<string, Standing> = {
  asking: { sign: '●', words: 'waiting for the model', look: 'busy' },
  answering: { sign: '●', words: 'answering', look: 'busy' },
  finished: { sign: '✓', words: 'finished', look: 'good' },
  limited: { sign: '⚠', words: 'stopped at a limit', look: 'warn' },
  failed: { sign: '✗', words: 'failed', look: 'bad' },
  stopped: { sign: '■', words: 'stopped', look: 'still' },
  waiting: { sign: '?', words: 'waiting for you', look: 'warn' }
};
const TOOLS: Record<ToolStatus, Standing> = {
  writing: { sign: '●', words: '', look: 'busy' },
  running: { sign: '●', words: 'running', look: 'busy' },
  done: { sign: '✓', words: '', look: 'good' },
  failed: { sign: '✗', words: 'failed', look: 'bad' },
  refused: { sign: '■', words: 'not allowed', look: 'still' },
  stopped: { sign: '■', words: 'stopped', look: 'still' }
};
const BY_CODE = (time: string) => `answered at ${time} by code`;
const WAYS = new Map([
  ['form', (time: string) => `you answered at ${time}`],
  ['stdin', (time: string) => `you answered at ${time}`],
  ['code', BY_CODE],
  ['prepared', (time: string) => `answered in advance at ${time}`]
]);
const STOPPED = new Set(['Cancelled', 'Stopped by you']);
const SHORT = 90;
const UNKNOWN = 'price unknown';

/** Say how a run is doing. */
export function ofRun(node: RunNode): Standing {
  if (node.waiting && node.until === undefined) {
    return RUNS.waiting;
  }
  const standing = RUNS[node.status];
  if (node.status !== 'asking') {
    return standing;
  }
  const busy = node.items.some(item => item.kind === 'tool' && item.status === 'running');
  const words = busy ? 'using tools' : isModel(node) ? standing.words : 'running';
  return { ...standing, words };
}

function isModel(node: RunNode): boolean {
  return node.of === 'agent' || node.of === 'remote';
}

/** List what the header says beside name and status: model, time, tokens, cost. */
export function facts(node: RunNode, now: number): string[] {
  const told = node.model ? [node.model] : [];
  told.push(seconds(secondsOf(node, now)));
  return [...told, ...(node.replayed ? ['replayed, no cost'] : spent(node.usage))];
}

/** List what a turn took: time, tokens, cost. */
export function ofTurn(node: RunNode, turn: Turn, now: number): string[] {
  const end = endOf(node, turn, now);
  const gaps = node.gaps.filter(gap => gap.at > turn.at && gap.at <= end);
  const off = gaps.reduce((sum, gap) => sum + gap.seconds, 0);
  const took = seconds(Math.max(0, end - turn.at - off));
  const cost = node.replayed || !turn.usage ? [] : spent(turn.usage);
  return [took, ...cost.filter(words => words !== UNKNOWN)];
}

/** Wall time, until `now` for a run that is not over. */
export function secondsOf(node: RunNode, now: number): number {
  return Math.max(0, (node.until ?? now) - node.at - node.off);
}

/** List tokens and cost, if there were any. */
export function spent(usage: Usage): string[] {
  const tokens = usage.input_tokens + usage.output_tokens;
  if (!tokens) {
    return [];
  }
  const about = usage.estimated ? 'about ' : '';
  const told = [`${about}${tokens.toLocaleString('en')} tokens`];
  if (usage.cost == null) {
    told.push(UNKNOWN);
  } else if (Number(usage.cost)) {
    const cost = Number(usage.cost);
    told.push(`$${cost.toFixed(cost < 1 ? 4 : 2)}`);
  }
  return told;
}

export function seconds(value: number): string {
  return value < 100 ? `${value.toFixed(1)} s` : `${Math.round(value / 6) / 10} min`;
}

/** Say how a call stands. */
export function ofTool(tool: ToolItem): { standing: Standing; tail: string[] } {
  const isAsking = tool.items.some(item => item.kind === 'question' && item.open);
  const standing = isAsking ? { ...RUNS.waiting, words: '' } : TOOLS[tool.status];
  const tail = standing.words ? [standing.words] : [];
  if (tool.status === 'writing' && tool.args === undefined) {
    tail.push(`writing its arguments, ${tool.written} characters`);
  } else if (tool.status === 'done' || tool.status === 'failed') {
    tail.push(seconds(tool.seconds));
  }
  for (const item of tool.items) {
    if (item.kind === 'run' && item.until === undefined && !item.waiting) {
      tail.push(`${item.name}: ${ofRun(item).words}`);
    }
  }
  if (tool.progress !== undefined) {
    tail.push(clipped(plain(tool.progress), SHORT));
  }
  return { standing, tail };
}

/** Write the arguments of a call as code would. */
export function short(args: unknown): string {
  if (args === undefined) {
    return '';
  }
  if (typeof args !== 'object' || args === null || Array.isArray(args)) {
    return clipped(plain(args), SHORT);
  }
  const told = Object.entries(args).map(
    ([name, value]) => `${visible(name)}=${exact(JSON.stringify(value))}`
  );
  return clipped(told.join(', '), SHORT);
}

/** Say what became of a question. */
export function ofQuestion(item: QuestionItem): { standing: Standing; words: string } {
  if (!item.received) {
    const standing = item.open ? RUNS.waiting : { ...RUNS.stopped, words: 'not answered' };
    return { standing, words: standing.words };
  }
  const { via, at, answer } = item.received;
  const how = (WAYS.get(via) ?? BY_CODE)(clock(at));
  return { standing: RUNS.finished, words: `${how}: ${clipped(visible(answered(answer)), 1000)}` };
}

function answered(answer: unknown): string {
  if (typeof answer === 'object' && answer && 'approve' in answer && 'comment' in answer) {
    const said = answer.approve ? 'allowed' : 'not allowed';
    return answer.comment ? `${said}: ${String(answer.comment)}` : said;
  }
  if (typeof answer === 'boolean') {
    return answer ? 'Yes' : 'No'; // As the buttons say it.
  }
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) {
    return plain(answer);
  }
  const fields = Object.entries(answer).map(([name, value]) => `${name}: ${plain(value)}`);
  return fields.join(', ');
}

/** Write what a question is about, so that nothing in it is hidden. */
export function details(value: unknown): string {
  return typeof value === 'string' ? visible(value) : exact(JSON.stringify(value, null, 2));
}

/** Write the time of day as Python does: 17:05. */
export function clock(at: number): string {
  const time = new Date(at * 1000);
  return [time.getHours(), time.getMinutes()].map(each => String(each).padStart(2, '0')).join(':');
}

/** Say how a run came to its end, when it had no answer. */
export function ending(node: RunNode): string {
  const words = { failed: `${node.error}: `, limited: 'Limit reached: ', stopped: '' };
  const early = words[node.status as keyof typeof words];
  // That it was stopped is said by its head.
  const isSaid = node.status === 'stopped' && STOPPED.has(node.reason);
  return early === undefined || !node.reason || isSaid ? '' : early + node.reason;
}

/** Write a value in one line. */
export function plain(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

/** Write a value to be read: JSON is unfolded, and so is text that is JSON. */
export function pretty(value: unknown): string {
  if (typeof value !== 'string') {
    return JSON.stringify(value, null, 2) ?? '';
  }
  if (/^\s*[[{]/.test(value)) {
    try {
      return JSON.stringify(JSON.parse(value), null, 2);
    } catch {
      return value;
    }
  }
  return value;
}

export function clipped(text: string, longest: number): string {
  return text.length <= longest ? text : `${text.slice(0, longest - 1)}…`;
}
