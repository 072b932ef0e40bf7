/** A run as plain text, to be copied. */
import { visible } from '../../nbagents/notebook/forms/visible.js';
import type { Fold } from './fold';
import { byTurns, type Item, type RunNode, type ToolItem } from './tree';
import { called } from './rows';
import { ending, facts, ofQuestion, ofRun, ofTool, ofTurn, pretty } from './words';

/** Tell a run in plain text, with all that it holds. */
export function asText(fold: Fold, now: number): string {
  const { root } = fold;
  if (!root) {
    return '';
  }
  const asked = root.asked ? [`> ${root.asked.replace(/\n/g, '\n> ')}`, ''] : [];
  return [...asked, header(root, now), ...run(root, now)].join('\n');
}

/** Write the answer alone: what was said last, or the value of a typed answer. */
export function answerOf({ root }: Fold): string {
  if (root?.output != null) {
    return pretty(root.output);
  }
  const last = root?.items.findLast(each => each.kind === 'text' && !each.thinking);
  return last?.kind === 'text' ? last.text : '';
}

function header(node: RunNode, now: number): string {
  const { sign, words } = ofRun(node);
  return `${node.name} ${sign} ${words} · ${facts(node, now).join(' · ')}`;
}

function run(node: RunNode, now: number): string[] {
  const told = byTurns(node).flatMap(({ turn, items }) => [
    ...(turn ? [`Turn ${turn.number} · ${ofTurn(node, turn, now).join(' · ')}`] : []),
    ...items.flatMap(each => item(each, now))
  ]);
  if (!node.items.length && node.output != null) {
    told.push(pretty(node.output));
  }
  const end = ending(node);
  return end ? [...told, end] : told;
}

function item(each: Item, now: number): string[] {
  switch (each.kind) {
    case 'text':
      return each.thinking ? [] : [each.text];
    case 'tool':
      return tool(each, now);
    case 'run':
      return [header(each, now), ...indented(run(each, now))];
    case 'question': {
      const { standing, words } = ofQuestion(each);
      return [
        visible(`${each.asked.asker} asks: ${each.asked.prompt}`),
        `  ${standing.sign} ${words}`
      ];
    }
    case 'handoff':
      return [`→ ${each.source} hands over to ${each.target}: ${each.reason}`];
    case 'note':
      return [`⚠ ${each.text}`];
    case 'file':
      return [`[file: ${each.part.name ?? each.part.media_type}]`];
  }
}

function tool(each: ToolItem, now: number): string[] {
  const { standing, tail } = ofTool(each);
  const ran = each.items.some(inner => inner.kind === 'run');
  const inside = each.items.flatMap(inner =>
    inner.kind === 'run' ? run(inner, now) : item(inner, now)
  );
  if (each.result && (!ran || each.status !== 'done')) {
    inside.push(...`= ${each.result}`.split('\n'));
  }
  return [[`${standing.sign} ${called(each)}`, ...tail].join(' · '), ...indented(inside)];
}

function indented(lines: string[]): string[] {
  return lines.flatMap(line => line.split('\n')).map(line => `  ${line}`);
}
