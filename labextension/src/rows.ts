/** The rows: what is seen of the tree just now, in the order from top to bottom. */
import { byTurns, type Item, type RunNode, type ToolItem, type Turn } from './tree';
import type { FilePart } from './wire';
import { exact } from '../../nbagents/notebook/forms/visible.js';
import { INTERRUPTED } from './fold';
import { details, ending, ofQuestion, plain, pretty, short } from './words';

/** A line of the list. Rows with `open` can be opened and closed. */
export interface Row {
  key: string;
  depth: number;
  /** How far it is moved in: what is in a turn stands beneath its row, no further in. */
  indent: number;
  open?: boolean;
  body:
    | { kind: 'item'; item: Exclude<Item, { kind: 'file' }> }
    | { kind: 'turn'; turn: Turn; node: RunNode }
    | { kind: 'code'; label: string; text: string }
    | { kind: 'file'; part: FilePart }
    | { kind: 'ending'; node: RunNode; text: string };
}

export type Show = 'all' | 'text' | 'tools' | 'questions' | 'problems';

/** What a person has chosen to see. */
export interface Choice {
  /** Rows that were opened or closed by hand. */
  opened: ReadonlyMap<string, boolean>;
  show: Show;
  /** In lower case. */
  search: string;
}

const SHORT = 90;

/** List the rows of a run. */
export function rowsOf(root: RunNode, choice: Choice): Row[] {
  return search(root, choice).rows;
}

/** List the rows of a run, and count those that are what is sought. */
export function search(root: RunNode, choice: Choice): { rows: Row[]; hits: number } {
  const lister = new Lister(choice);
  lister.run(root, 0);
  return lister;
}

class Lister {
  rows: Row[] = [];
  hits = 0;
  private readonly sought: boolean;
  /** The turns that are around the row that comes next. */
  private around = 0;

  constructor(private readonly choice: Choice) {
    this.sought = choice.show !== 'all' || choice.search !== '';
  }

  /** List what happened in a run; true when a row of it is wanted. */
  run(node: RunNode, depth: number): void {
    const { items } = node;
    const typed =
      node.until !== undefined && node.output != null && typeof node.output !== 'string';
    const silent = !items.length && node.until !== undefined && node.output != null;
    if (silent) {
      this.leaf(`${node.key} output`, depth, 'text', pretty(node.output), {
        kind: 'code',
        label: '',
        text: pretty(node.output)
      });
    }
    const list = (some: Item[], at: number) =>
      some
        .filter(item => !isToldBelow(node, item))
        .forEach(item => {
          if (typed && item === items.at(-1) && item.kind === 'text' && !item.thinking) {
            const text = pretty(node.output);
            this.leaf(item.key, at, 'text', text, { kind: 'code', label: '', text });
          } else {
            this.item(item, at);
          }
        });
    for (const { turn, items: own } of byTurns(node)) {
      if (turn) {
        this.branch(
          this.row(turn.key, depth, { kind: 'turn', turn, node }),
          'all',
          this.choice.search.startsWith('turn ') ? `turn ${turn.number}` : '',
          false,
          () => {
            this.around += 1;
            list(own, depth + 1);
            this.around -= 1;
          }
        );
      } else {
        list(own, depth);
      }
    }
    const text = ending(node);
    if (text) {
      this.leaf(`${node.key} end`, depth, 'problems', text, { kind: 'ending', node, text });
    }
  }

  private item(item: Item, depth: number): void {
    switch (item.kind) {
      case 'run':
        return this.opens(item, depth, item.name, folded(item), () => this.run(item, depth + 1));
      case 'tool':
        return this.opens(item, depth, `${item.name} ${plain(item.args)}`, !wanted(item), () =>
          this.inTool(item, depth + 1)
        );
      case 'text':
        if (item.thinking) {
          const code = { kind: 'code' as const, label: '', text: item.text };
          return this.opens(item, depth, '', true, () =>
            this.leaf(`${item.key} text`, depth + 1, 'text', item.text, code)
          );
        }
        return this.leaf(item.key, depth, 'text', item.text, { kind: 'item', item });
      case 'file':
        return this.leaf(item.key, depth, 'text', item.part.name ?? '', {
          kind: 'file',
          part: item.part
        });
      case 'question': {
        const { asker, prompt, reason, details: about } = item.asked;
        const more = about == null ? '' : details(about);
        const text = `${asker} asks: ${prompt} ${reason} ${more} ${ofQuestion(item).words}`;
        return this.leaf(item.key, depth, 'questions', text, { kind: 'item', item });
      }
      case 'handoff':
        return this.leaf(item.key, depth, 'tools', `${item.source} ${item.target} ${item.reason}`, {
          kind: 'item',
          item
        });
      case 'note':
        return this.leaf(item.key, depth, 'problems', item.text, { kind: 'item', item });
    }
  }

  private inTool(tool: ToolItem, depth: number): void {
    const block = (name: string, label: string, text: string) =>
      this.leaf(`${tool.key} ${name}`, depth, 'tools', text, { kind: 'code', label, text });
    if (plain(tool.args ?? {}).length > SHORT) {
      block('args', 'Arguments', exact(pretty(tool.args)));
    }
    tool.items.forEach(item => {
      if (item.kind === 'run') {
        this.run(item, depth);
      } else {
        this.item(item, depth);
      }
    });
    const ran = tool.items.some(item => item.kind === 'run');
    const isSaid = tool.result === INTERRUPTED; // By its row.
    if (tool.result && !isSaid && (!ran || tool.status !== 'done')) {
      block('result', 'Result', pretty(tool.result));
    }
    tool.files.forEach((part, index) =>
      this.leaf(`${tool.key} file ${index}`, depth, 'tools', part.name ?? '', {
        kind: 'file',
        part
      })
    );
    if (tool.traceback) {
      block('traceback', 'Traceback', tool.traceback);
    }
  }

  private opens(
    item: RunNode | ToolItem | Extract<Item, { kind: 'text' }>,
    depth: number,
    text: string,
    closed: boolean,
    below: () => void
  ): void {
    const row = this.row(item.key, depth, { kind: 'item', item });
    this.branch(row, kindOf(item), text, closed, below);
  }

  /** A row with others below it; with a search, only if it or one of these is found. */
  private branch(row: Row, kind: Show, text: string, closed: boolean, below: () => void): void {
    const opened = this.choice.opened.get(row.key) ?? !closed;
    row.open = opened;
    const at = this.rows.push(row);
    const own = !this.sought || this.matches(kind, text);
    this.hits += own ? 1 : 0;
    if (own && !this.choice.search) {
      if (opened) {
        below();
      }
      return;
    }
    below();
    if (this.rows.length > at) {
      row.open = true;
    } else if (own) {
      row.open = this.choice.opened.get(row.key) ?? false;
    } else {
      this.rows.pop();
    }
  }

  private leaf(key: string, depth: number, show: Show, text: string, body: Row['body']): void {
    if (!this.sought || this.matches(show, text)) {
      this.hits += 1;
      this.rows.push(this.row(key, depth, body));
    }
  }

  private row(key: string, depth: number, body: Row['body']): Row {
    return { key, depth, indent: depth - this.around, body };
  }

  private matches(show: Show, text: string): boolean {
    const { search } = this.choice;
    const shown = this.choice.show === 'all' || this.choice.show === show;
    return shown && (!search || text.toLowerCase().includes(search));
  }
}

/** A member's call that hands over is told by the line that says to whom. */
function isToldBelow(node: RunNode, item: Item): boolean {
  const isHandoff = item.kind === 'tool' && item.name === 'handoff' && item.status === 'done';
  return isHandoff && node.parent?.of === 'swarm';
}

function kindOf(item: Item): Show {
  if (item.kind === 'tool' && (item.status === 'failed' || item.status === 'refused')) {
    return 'problems';
  }
  if (item.kind === 'run') {
    return item.status === 'failed' || item.status === 'limited' ? 'problems' : 'tools';
  }
  return item.kind === 'tool' ? 'tools' : 'text';
}

/** What a graph has left behind is folded, unless it asked somebody. */
function folded(node: RunNode): boolean {
  return node.status === 'finished' && node.leadsOn && !node.hasAsked;
}

/** What runs, has failed or has asked stands open. */
function wanted(tool: ToolItem): boolean {
  const asked = tool.items.some(item => item.kind === 'question' || item.hasAsked);
  return asked || tool.status === 'running' || tool.status === 'failed';
}

/** The words of a call, as its row has them. */
export function called(tool: ToolItem): string {
  return tool.args === undefined ? tool.name : `${tool.name}(${short(tool.args)})`;
}
