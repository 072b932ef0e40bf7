// @vitest-environment jsdom
import { expect, test } from 'vitest';
import { Fold } from '../src/fold';
import { Picture } from '../src/picture';
import type { Item, RunNode } from '../src/tree';
import { ofRun, ofTool, secondsOf, spent } from '../src/words';
import { all, folded, NAMES, sample, Story, tools, usage } from './made';
import folds from './samples/folds.json';

type Folds = Record<string, { root: unknown; taken: string[][]; states: Record<string, string> }>;

/** Tell an item as `samples/folds.py` does. */
function told(item: Item): unknown[] {
  switch (item.kind) {
    case 'text':
      return ['text', item.thinking, item.text];
    case 'file':
      return ['file', item.part.media_type];
    case 'note':
      return ['note', item.resumed];
    case 'handoff':
      return ['handoff', item.source, item.target, item.reason];
    case 'question':
      return ['question', item.asked.prompt, item.received !== undefined, item.open];
    case 'tool': {
      const { name, status, args = null, result, seconds } = item;
      const [asked, ran] = ['question', 'run'].map(kind =>
        item.items.filter(each => each.kind === kind).map(told)
      );
      return ['tool', name, status, args, result, seconds, [...asked, ...ran]];
    }
    case 'run':
      return ['run', toldRun(item)];
  }
}

function toldRun(node: RunNode): object {
  const { input_tokens, output_tokens, cached_tokens, cost } = node.usage;
  return {
    name: node.name,
    kind: node.of,
    path: node.path,
    model: node.model,
    status: node.status,
    reason: node.reason,
    error: node.error,
    tokens: [input_tokens, output_tokens, cached_tokens],
    cost: cost == null ? null : Number(cost),
    waiting: node.waiting,
    has_asked: node.hasAsked,
    leads_on: node.leadsOn,
    milliseconds: Math.round(secondsOf(node, 0) * 1000),
    items: node.items.map(told)
  };
}

test.each(NAMES)('%s is folded as Python folds it', name => {
  const fold = folded(sample(name).events);
  const python = (folds as unknown as Folds)[name];
  expect(toldRun(fold.root as RunNode)).toEqual(python.root);
  expect([...fold.taken.values()].sort()).toEqual(python.taken);
});

test.each(NAMES.filter(name => sample(name).picture))('the picture of %s is as in Python', name => {
  const document = sample(name);
  const picture = new Picture(() => undefined);
  picture.set(document.picture ?? '');
  picture.paint(folded(document.events), document.events.at(-1)?.at ?? 0);
  const painted = [...picture.node.querySelectorAll<SVGElement>('g[data-node]')].map(group => [
    group.dataset.node,
    group.dataset.status
  ]);
  const { states } = (folds as unknown as Folds)[name];
  expect(painted).not.toEqual([]);
  expect(painted).toEqual(painted.map(([path = '']) => [path, states[path] ?? 'pending']));
});

test.each(NAMES)('each thing in %s has a key of its own, the same each time', name => {
  const keys = () => all([folded(sample(name).events).root as RunNode]).map(item => item.key);
  expect(new Set(keys()).size).toBe(keys().length);
  expect(keys()).toEqual(keys());
});

test('a message takes the place of its deltas, and what they were keeps its key', () => {
  const story = new Story().start().add('turn_started');
  story.add('thinking_delta', { text: 'Hm' }).add('thinking_delta', { text: '.' });
  story.add('text_delta', { text: 'Let me ' }).add('text_delta', { text: 'see.' });
  story.add('tool_call_delta', { index: 0, call_id: 'a', name: 'look', args: '{"x' });
  story.add('tool_call_delta', { index: 0, call_id: '', name: '', args: '":1}' });
  const before = story.root;
  expect(before.items.map(told)).toEqual([
    ['text', true, 'Hm.'],
    ['text', false, 'Let me see.'],
    ['tool', 'look', 'writing', null, '', 0, []]
  ]);
  expect(tools(before)[0].written).toBe(7);
  expect(ofRun(before).words).toBe('answering');
  const after = story.message([
    { type: 'thinking', text: 'Hm.', redacted: false },
    { type: 'text', text: 'Let me see.' },
    { type: 'tool_call', call_id: 'a', name: 'look', args: '{"x":1}' }
  ]).root;
  expect(after.items.map(item => item.key)).toEqual(before.items.map(item => item.key));
  expect(tools(after)[0].args).toEqual({ x: 1 });
});

test('a retry that begins again forgets what had been said, and leaves a note', () => {
  const story = new Story().start().says('First.').add('turn_started');
  story.add('text_delta', { text: 'Second, ha' });
  story.add('retrying', { attempt: 1, error: 'broken pipe', seconds: 2, restart: true });
  story.add('text_delta', { text: 'Second.' });
  const [first, note, second] = story.root.items;
  expect([first, second].map(told)).toEqual([
    ['text', false, 'First.'],
    ['text', false, 'Second.']
  ]);
  expect(note).toMatchObject({ kind: 'note', text: 'Attempt 1: broken pipe Again in 2 s.' });
});

test('the saved run, which tells of no retry, has the keys that the live one had', () => {
  const story = new Story().start().add('turn_started');
  story.add('retrying', { attempt: 1, error: 'e', seconds: 0, restart: false });
  story.add('text_delta', { text: 'S' });
  story.add('retrying', { attempt: 2, error: 'e', seconds: 0, restart: true });
  story.says('So.').calls('a').works('a').answers('a').says('End.').ends();
  const saved = story.events.filter(({ type }) => !/delta|turn_started|retrying/.test(type));
  const keys = (node: RunNode) =>
    node.items.filter(item => item.kind !== 'note').map(item => item.key);
  expect(story.root.items.filter(item => item.kind === 'note')).toHaveLength(2);
  expect(keys(story.root)).toEqual(keys(folded(saved).root as RunNode));
});

test('runs lie where they were opened: under a node, or in a tool, with the paths of the picture', () => {
  const story = new Story().start().calls('ask').works('ask');
  story.start('child', { parent_id: 'r', call_id: 'ask' });
  story.start('inner', { parent_id: 'child', node: 'member' });
  const [tool] = tools(story.root);
  const child = tool.items[0] as RunNode;
  expect([child.path, child.name]).toEqual(['r/ask', 'child']);
  expect((child.items[0] as RunNode).path).toBe('r/ask/member');
  expect((child.items[0] as RunNode).name).toBe('member');
});

test('a question waits in its run and all above, until it is answered, asked anew or over', () => {
  const story = new Story().start().calls('a').asks('q', 'a');
  expect([story.root.waiting, ofRun(story.root).words]).toEqual([1, 'waiting for you']);
  expect(ofTool(tools(story.root)[0])).toMatchObject({ standing: { sign: '?' }, tail: [] });
  story.asks('q', 'a');
  expect(story.root.waiting).toBe(1);
  expect(tools(story.root)[0].items.map(item => (item as { open: boolean }).open)).toEqual([
    false,
    true
  ]);
  story.hears('q').hears('q').hears('never asked');
  expect([story.root.waiting, folded(story.events).answered]).toEqual([0, 1]);
  const left = new Story()
    .start()
    .asks('q')
    .add('run_cancelled', { reason: '', usage: usage(1) });
  expect([left.root.waiting, left.root.hasAsked]).toEqual([0, true]);
});

test('a run that goes on is marked, without the time for which nothing ran', () => {
  const story = new Story().start().asks('q');
  story.add('run_cancelled', { reason: 'Waiting', usage: usage(1) });
  story.events.push({ type: 'run_resumed', run_id: 'r', seq: 9, at: 5000, note: 'Other tools.' });
  expect([story.root.waiting, story.root.until, story.root.reason]).toEqual([1, undefined, '']);
  story.events.push({
    ...(new Story().hears('q').events[0] as object),
    seq: 10,
    at: 5001
  } as never);
  story.events.push({ ...(new Story().ends().events[0] as object), seq: 11, at: 5002 } as never);
  expect(secondsOf(story.root, 0)).toBe(1003 - 1001 + 2);
  expect(story.root.items.map(told)).toEqual([
    ['question', 'q?', true, false],
    ['note', true]
  ]);
  expect(story.root.items[1]).toMatchObject({ text: expect.stringContaining('Other tools.') });
});

test('usage rolls up, and what has no known price has none', () => {
  const story = new Story().start().start('child', { parent_id: 'r', node: 'n' });
  story
    .message([], 'child', { usage: usage(10, '0.5') })
    .message([], 'r', { usage: usage(5, '1') });
  expect(story.root.usage).toEqual({
    input_tokens: 15,
    output_tokens: 2,
    cached_tokens: 0,
    cost: '1.5',
    estimated: false
  });
  expect(spent(story.root.usage)).toEqual(['17 tokens', '$1.50']);
  story.message([], 'child', { usage: usage(1, null) }).message([], 'r', { usage: usage(1, '1') });
  expect(spent(story.root.usage)).toEqual(['21 tokens', 'price unknown']);
  story.message([], 'r', { usage: { ...usage(1, '1'), estimated: true } });
  expect(spent(story.root.usage)[0]).toBe('about 23 tokens');
});

test('an answer that is empty says so', () => {
  const notes = (parts: object[], stop = 'end') =>
    new Story()
      .start()
      .message(parts, 'r', { stop })
      .root.items.flatMap(item => (item.kind === 'note' ? [item.text] : []));
  expect(notes([])).toEqual(['The answer is empty.']);
  expect(notes([{ type: 'text', text: ' \n' }])).toEqual(['The answer is empty.']);
  expect(notes([{ type: 'thinking', text: 'hm' }])).toEqual(['The answer is empty.']);
  expect(notes([{ type: 'text', text: 'Hi' }])).toEqual([]);
  expect(notes([], 'length')).toEqual(['Incomplete: the answer reached its token limit.']);
});

test('a tool is done, failed, not allowed, or was interrupted', () => {
  const story = new Story()
    .start()
    .calls('a', 'b', 'c', 'd', 'e')
    .works('a')
    .works('b')
    .asks('q', 'c');
  story.answers('a').answers('b', { is_error: true }, 'Traceback').hears('q', { approve: false });
  story.answers('c', { is_error: true });
  const text = 'Interrupted: the run was stopped before this tool answered.';
  story.answers('d', { is_error: true, content: [{ type: 'text', text }] });
  const states = () => tools(story.root).map(tool => tool.status);
  expect(states()).toEqual(['done', 'failed', 'refused', 'stopped', 'writing']);
  story.add('run_cancelled', { reason: 'Cancelled', usage: usage(1) });
  expect(states()).toEqual(['done', 'failed', 'refused', 'stopped', 'stopped']);
  expect([story.root.status, ofRun(story.root).words]).toEqual(['stopped', 'stopped']);
  expect(tools(story.root)[1].traceback).toBe('Traceback');
});

test('ids of calls are only unique in their own message', () => {
  const story = new Story().start().calls('a').works('a').answers('a').calls('a').works('a');
  expect(tools(story.root).map(tool => tool.status)).toEqual(['done', 'running']);
});

test('progress is shown until there is a result', () => {
  const story = new Story().start().calls('a').works('a');
  story.add('tool_progress', { call_id: 'a', data: { half: true } });
  expect(ofTool(tools(story.root)[0]).tail).toEqual(['running', '{"half":true}']);
  expect(ofTool(tools(story.answers('a').root)[0]).tail).toEqual(['1.0 s']);
});

test('an end at a limit, and an answer that was cut off, say so', () => {
  const story = new Story()
    .start()
    .message([{ type: 'text', text: 'Once' }], 'r', { stop: 'length' });
  const { root } = story.ends('r', { limit: 'turns' });
  expect([root.status, root.reason]).toEqual(['limited', 'turns']);
  expect(root.items[1]).toMatchObject({
    kind: 'note',
    text: expect.stringContaining('Incomplete')
  });
});

test('events of a run that nobody has opened change nothing', () => {
  const fold = new Fold();
  new Story()
    .says('hello')
    .works('a')
    .ends()
    .events.forEach(event => fold.apply(event));
  expect([fold.root, fold.lastSeq]).toEqual([undefined, 3]);
});
