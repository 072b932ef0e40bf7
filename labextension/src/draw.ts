/** The rows as elements. Nothing that a model or a tool said is ever markup, but for Markdown. */
import { visible } from '../../nbagents/notebook/forms/visible.js';
import type { Item, QuestionItem, RunNode, ToolItem } from './tree';
import { markdown } from './markdown';
import type { Row } from './rows';
import { called } from './rows';
import {
  clipped,
  details,
  facts,
  ofQuestion,
  ofRun,
  ofTool,
  ofTurn,
  plain,
  type Standing
} from './words';
import type { FilePart } from './wire';

const PICTURES = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp']);
const LONGEST = 20_000;

/** Make an element with a class and what is in it. */
export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  className = '',
  ...inside: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  made.className = className;
  made.append(...inside);
  return made;
}

/** Show how something stands, in a sign that its words stand beside. */
export function sign(standing: Standing): HTMLElement {
  const made = element('span', `nba-sign nba-${standing.look}`, standing.sign);
  made.setAttribute('aria-hidden', 'true');
  return made;
}

/** Tell whether a row has to be drawn anew: its text is another one as soon as the row changes. */
export function signature(row: Row, now: number): string {
  const { body } = row;
  switch (body.kind) {
    case 'item':
      return ofItem(body.item, now);
    case 'turn':
      return ofTurn(body.node, body.turn, now).join();
    case 'code':
      return String(body.text.length);
    case 'ending':
      return body.text;
    case 'file':
      return '';
  }
}

function ofItem(item: Item, now: number): string {
  switch (item.kind) {
    case 'text':
      return String(item.text.length);
    case 'tool': {
      const { standing, tail } = ofTool(item);
      return `${standing.look}${item.name}${item.written}${tail.join()}${item.args === undefined}`;
    }
    case 'run':
      return `${ofRun(item).words}${facts(item, now).join()}${item.note}`;
    case 'question':
      return ofQuestion(item).words;
    default:
      return '';
  }
}

/** Draw what is in a row. */
export function draw(row: Row, now: number): Node {
  const { body } = row;
  switch (body.kind) {
    case 'turn': {
      const told = ofTurn(body.node, body.turn, now);
      return element('span', 'nba-turn', `Turn ${body.turn.number} · ${told.join(' · ')}`);
    }
    case 'code':
      return block(body.text, body.label);
    case 'file':
      return file(body.part);
    case 'ending': {
      const standing = ofRun(body.node);
      return element('p', 'nba-ending', sign(standing), ' ', element('b', '', body.text));
    }
    case 'item':
      return drawn(body.item, now);
  }
}

function drawn(item: Exclude<Item, { kind: 'file' }>, now: number): Node {
  switch (item.kind) {
    case 'text': {
      if (item.thinking) {
        return element('span', 'nba-quiet', 'Thought');
      }
      const made = element('div', 'nba-markdown');
      made.innerHTML = markdown(item.text);
      return made;
    }
    case 'tool':
      return tool(item);
    case 'run':
      return run(item, now);
    case 'question':
      return question(item);
    case 'handoff': {
      const arrow = element('span', 'nba-busy', '→');
      arrow.setAttribute('aria-hidden', 'true');
      const [from, to] = [element('b', '', item.source), element('b', '', item.target)];
      return element('p', '', arrow, ' ', from, ' hands over to ', to, `: ${item.reason}`);
    }
    case 'note':
      return element(
        'p',
        item.resumed ? 'nba-resumed' : 'nba-note',
        item.resumed ? '↻ ' : '⚠ ',
        item.text
      );
  }
}

function run(node: RunNode, now: number): Node {
  const standing = ofRun(node);
  const told = facts(node, now);
  // Of all that wait for one question, only the outermost says it, in the head.
  const isSaid = standing.words === 'finished' || node.waiting > 0;
  const words = isSaid ? told : [standing.words, ...told];
  return element(
    'span',
    '',
    sign(standing),
    ' ',
    element('b', '', node.name),
    element('span', 'nba-quiet', ` · ${words.join(' · ')}`)
  );
}

function tool(item: ToolItem): Node {
  const { standing, tail } = ofTool(item);
  const told = tail.map(words => ` · ${words}`).join('');
  const code = element('code', '', called(item) || '…');
  return element('span', '', sign(standing), ' ', code, element('span', 'nba-quiet', told));
}

function question(item: QuestionItem): Node {
  const { standing, words } = ofQuestion(item);
  const { asked } = item;
  const made = element('div', `nba-question nba-edge-${standing.look}`);
  const prompt = element('div', 'nba-markdown');
  prompt.innerHTML = markdown(visible(asked.prompt));
  made.append(element('div', '', element('b', '', visible(asked.asker)), ' asks:'), prompt);
  if (asked.reason) {
    made.append(element('div', 'nba-quiet', visible(asked.reason)));
  }
  if (asked.details != null) {
    made.append(block(details(asked.details), 'Details'));
  }
  // The head says that it waits.
  made.append(item.open ? '' : element('div', '', sign(standing), ` ${words}`));
  return made;
}

/** Show text as it is, with a label over it if it has one. */
export function block(text: string, label: string): Node {
  const code = element('pre', 'nba-code', clipped(text, LONGEST));
  code.tabIndex = -1;
  return label ? element('div', '', element('div', 'nba-label', label), code) : code;
}

function file(part: FilePart): Node {
  const name = part.name ?? part.media_type;
  if (part.data == null) {
    return element('p', '', `[file: ${name} (${plain(part.url ?? '')})]`);
  }
  const data = part.data.replace(/-/g, '+').replace(/_/g, '/');
  if (!PICTURES.has(part.media_type)) {
    return element('p', '', `[file: ${name}, ${Math.floor(data.length * 0.75)} bytes]`);
  }
  const picture = element('img', 'nba-picture');
  picture.alt = name;
  picture.src = `data:${part.media_type};base64,${data}`;
  return picture;
}
