// @vitest-environment jsdom
import { expect, test } from 'vitest';
import { List } from '../src/list';
import { Heights } from '../src/list';
import { draw } from '../src/draw';
import { type Choice, type Row, rowsOf } from '../src/rows';
import type { RunNode } from '../src/tree';
import { asText } from '../src/text';
import { joined, lanesOf } from '../src/timeline';
import { clipped, plain, pretty, seconds, short } from '../src/words';
import { folded, sample, Story } from './made';

const ALL: Choice = { opened: new Map(), show: 'all', search: '' };

/** Tell rows in short: how deep, what, and whether they are open. */
function told(rows: Row[]): string[] {
  return rows.map(({ depth, body, open }) => {
    const mark = open === undefined ? '' : open ? 'v ' : '> ';
    const kind = body.kind === 'item' ? body.item.kind : body.kind;
    const item = body.kind === 'item' ? body.item : undefined;
    const turn = body.kind === 'turn' ? ` ${body.turn.number}` : '';
    const name = item && 'name' in item ? ` ${item.name}` : turn;
    return `${'  '.repeat(depth)}${mark}${kind}${name}`;
  });
}

function story(): Story {
  const made = new Story().start().calls('dig').works('dig').answers('dig').calls('boom');
  made.works('boom').answers('boom', { is_error: true }, 'Trace back').asks('Where');
  return made.hears('Where', 'over there').says('It is **green**.').ends();
}

test('a tool is one line, and one that failed stands open', () => {
  const [, dig] = rowsOf(story().root, ALL);
  expect(told(rowsOf(story().root, ALL))).toEqual([
    'v turn 1',
    '  > tool dig',
    'v turn 2',
    '  v tool boom',
    '    code',
    '    code',
    '  question',
    'v turn 3',
    '  text'
  ]);
  const opened = new Map([[dig.key, true]]);
  expect(told(rowsOf(story().root, { ...ALL, opened })).slice(0, 3)).toEqual([
    'v turn 1',
    '  v tool dig',
    '    code'
  ]);
});

test('a turn tells its time and its tokens, and stands no further out than what is in it', () => {
  const { root } = story();
  const rows = rowsOf(root, ALL);
  expect(rows.map(row => row.indent)).toEqual([0, 0, 0, 0, 1, 1, 0, 0, 0]);
  const [first] = rows;
  expect(draw(first, 0).textContent).toBe('Turn 1 · 3.0 s · 11 tokens');
  const closed = rowsOf(root, { ...ALL, opened: new Map([[first.key, false]]) });
  expect(told(closed).slice(0, 2)).toEqual(['> turn 1', 'v turn 2']);
  expect(told(rowsOf(root, { ...ALL, search: 'turn 2' }))).toEqual(['> turn 2']);
});

test('a search for a number finds no headings', () => {
  const found = told(rowsOf(story().root, { ...ALL, search: '3' }));
  expect(found).toEqual([]);
});

test('the time for which a run was cut off is no time of its turns', () => {
  const made = new Story().start().calls('ask').works('ask').asks('q', 'ask');
  made.add('run_cancelled', { reason: 'Waiting' }).add('run_resumed', { note: '' });
  made.hears('q').answers('ask').says('Done.').ends();
  made.events.slice(5).forEach(event => (event.at += 86_400));
  const rows = rowsOf(made.root, ALL).filter(row => row.body.kind === 'turn');
  const seen = rows.map(row => draw(row, 0).textContent);
  expect(seen).toEqual(['Turn 1 · 6.0 s · 11 tokens', 'Turn 2 · 1.0 s · 11 tokens']);
});

test('a second turn is put around the first one, of which nothing is drawn anew', () => {
  const made = new Story().start().message([
    { type: 'text', text: 'First.' },
    { type: 'tool_call', call_id: 'dig', name: 'dig', args: '{}' }
  ]);
  const { list, rows } = listed(made.works('dig').answers('dig').root);
  const inside = () => rows().map(row => row.firstElementChild?.firstChild);
  const before = inside();
  list.show(rowsOf(made.says('Done.').root, ALL), 5);
  inside()
    .slice(1, 3)
    .forEach((each, index) => expect(each).toBe(before[index]));
  expect(before).toHaveLength(2);
  expect(rows().map(row => row.getAttribute('aria-level'))).toEqual(['1', '2', '2', '1', '2']);
  expect(rows().map(row => row.classList.contains('nba-flush'))).toEqual([
    false,
    true,
    false,
    false,
    true
  ]);
});

test('a run with a single turn has no row for it', () => {
  const { root } = new Story().start().says('Hello.').ends();
  expect(told(rowsOf(root, ALL))).toEqual(['text']);
});

test('a run under way has the turns that it will have when it is saved', () => {
  const live = new Story().start().add('turn_started').calls('dig').works('dig').answers('dig');
  live.add('turn_started').add('retrying', { attempt: 1, error: 'Busy', seconds: 1 });
  live.add('text_delta', { text: 'Do' });
  expect(told(rowsOf(live.root, ALL))).toEqual([
    'v turn 1',
    '  > tool dig',
    'v turn 2',
    '  note',
    '  text'
  ]);
  const passing = new Set(['turn_started', 'retrying', 'text_delta']);
  live.says('Done.');
  const saved = folded(live.events.filter(({ type }) => !passing.has(type))).root as RunNode;
  const keys = (root: RunNode) => rowsOf(root, ALL).map(row => row.key);
  expect(keys(saved)).toEqual(keys(live.root).filter(key => !key.includes('retry')));
});

test('what a run says of having gone on stands between its turns', () => {
  const made = new Story().start().calls('dig').works('dig').add('run_resumed', { note: '' });
  expect(told(rowsOf(made.answers('dig').says('Done.').root, ALL))).toEqual([
    'v turn 1',
    '  > tool dig',
    'note',
    'v turn 2',
    '  text'
  ]);
});

test('thinking is folded, and opened by hand', () => {
  const parts = [
    { type: 'thinking', text: 'Hm.' },
    { type: 'text', text: 'Hi.' }
  ];
  const { root } = new Story().start().message(parts);
  const [row] = rowsOf(root, ALL);
  expect(row.open).toBe(false);
  expect(rowsOf(root, { ...ALL, opened: new Map([[row.key, true]]) })).toHaveLength(3);
});

test('a typed answer is shown as data, and a silent one too', () => {
  const spoken = new Story()
    .start()
    .says('{"a":1}')
    .ends('r', { output: { a: 1 } });
  expect(rowsOf(spoken.root, ALL)[0].body).toMatchObject({ kind: 'code', text: '{\n  "a": 1\n}' });
  const silent = new Story().start().ends('r', { output: 0 });
  expect(rowsOf(silent.root, ALL)[0].body).toMatchObject({ kind: 'code', text: '0' });
});

test('what a graph has left behind is folded', () => {
  const made = new Story().start('r', { kind: 'graph' });
  made.start('a', { parent_id: 'r', node: 'a' }).says('A.', 'a').ends('a');
  made.add('edge_taken', { source: 'a', target: 'b' }).start('b', { parent_id: 'r', node: 'b' });
  expect(told(rowsOf(made.says('B.', 'b').root, ALL))).toEqual(['> run a', 'v run b', '  text']);
});

test.each([
  ['text', ['v turn 3', '  text']],
  ['tools', ['v turn 1', '  > tool dig', 'v turn 2', '  v tool boom', '    code', '    code']],
  ['questions', ['v turn 2', '  question']],
  ['problems', ['v turn 2', '  v tool boom']]
] as const)('the filter %s shows what it says, and what that lies in', (show, rows) => {
  expect(told(rowsOf(story().root, { ...ALL, show }))).toEqual(rows);
});

test('a search finds in closed rows, opens what they lie in, and keeps nothing else', () => {
  const found = (search: string) => told(rowsOf(story().root, { ...ALL, search }));
  expect(found('green')).toEqual(['v turn 3', '  text']);
  expect(found('dig is done')).toEqual(['v turn 1', '  v tool dig', '    code']);
  expect(found('trace back')).toEqual(['v turn 2', '  v tool boom', '    code']);
  expect(found('over there')).toEqual(['v turn 2', '  question']);
  expect(found('nowhere')).toEqual([]);
});

test('of many rows those between two heights are found', () => {
  const heights = new Heights();
  const keys = Array.from({ length: 1000 }, (_, index) => String(index));
  keys.forEach(key => heights.set(key, 10));
  const seen = heights.window(keys, 100, 200);
  expect(seen).toEqual({ first: 9, last: 20, above: 90, below: 9800 });
  expect(heights.window(keys, -600, 25)).toMatchObject({ first: 0, last: 3, above: 0 });
  expect(heights.window(keys, 9990, 99_999)).toMatchObject({ last: 1000, below: 0 });
  expect(heights.window([], 0, 100)).toEqual({ first: 0, last: 0, above: 0, below: 0 });
});

/** A list in the page, whose tools open and close. */
function listed(root = story().root) {
  const opened = new Map<string, boolean>();
  const list = new List(
    row => {
      opened.set(row.key, !row.open);
      list.show(rowsOf(root, { ...ALL, opened }), 0);
    },
    () => undefined
  );
  document.body.replaceChildren(list.node);
  list.show(rowsOf(root, ALL), 0);
  const rows = () => [...list.node.querySelectorAll<HTMLElement>('[role=treeitem]')];
  const press = (key: string) => {
    const event = new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true });
    document.activeElement?.dispatchEvent(event);
    return rows().findIndex(row => row === document.activeElement);
  };
  return { list, rows, press };
}

test('the tree is walked by keyboard, and has one place in the order of tabs', () => {
  const { rows, press } = listed();
  const stops = () => rows().map(row => row.tabIndex);
  expect(stops()).toEqual([0, ...Array(8).fill(-1)]);
  rows()[0].focus();
  expect(['ArrowDown', 'ArrowDown', 'ArrowDown'].map(press)).toEqual([1, 2, 3]);
  expect([press('ArrowRight'), press('ArrowDown')]).toEqual([4, 5]);
  expect(press('ArrowLeft')).toBe(3);
  expect(stops().indexOf(0)).toBe(3);
  expect([press('End'), press('ArrowDown'), press('Home'), press('ArrowUp')]).toEqual([8, 8, 0, 0]);
});

test('rows are opened and closed by keyboard', () => {
  const { rows, press } = listed();
  const open = () => rows()[1].getAttribute('aria-expanded');
  rows()[1].focus();
  const seen = ['Enter', 'Enter', 'ArrowRight', 'ArrowLeft', ' '].map(key => {
    press(key);
    return open();
  });
  expect(seen).toEqual(['true', 'false', 'true', 'false', 'true']);
  expect(document.activeElement).toBe(rows()[1]);
  expect(rows()[2].getAttribute('aria-level')).toBe('3');
});

test('keys that are not for the tree go on to the page', () => {
  const { rows } = listed();
  const sent = (key: string, more = {}) =>
    rows()[0].dispatchEvent(
      new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...more })
    );
  expect([sent('x'), sent('ArrowDown', { ctrlKey: true }), sent('ArrowDown')]).toEqual([
    true,
    true,
    false
  ]);
});

test('a click opens a row; one into its text does not', () => {
  const { rows } = listed();
  rows()[1].querySelector('code')?.click();
  expect(rows()[1].getAttribute('aria-expanded')).toBe('true');
  rows()[2].querySelector('pre')?.click();
  expect(rows()[1].getAttribute('aria-expanded')).toBe('true');
});

test('what is drawn again stays the same node, with its focus', () => {
  const made = new Story().start().calls('dig').works('dig');
  const { list, rows } = listed(made.root);
  rows()[0].focus();
  const before = rows();
  list.show(rowsOf(made.answers('dig').says('Done.').root, ALL), 5);
  expect(rows()).toHaveLength(4);
  expect(rows()[1]).toBe(before[0]);
  expect(document.activeElement).toBe(before[0]);
  expect(rows()[1].textContent).toContain('✓');
  const inside = rows()[3].firstElementChild?.firstChild;
  list.show(rowsOf(made.root, ALL), 6);
  expect(rows()[3].firstElementChild?.firstChild).toBe(inside);
});

test('of thousands of rows only those near the sight exist, wherever one goes', () => {
  const made = new Story().start();
  for (let index = 0; index < 5000; index += 1) {
    made.says(`Line ${index}.`);
  }
  const { list, rows, press } = listed(made.root);
  expect(list.isWindowed).toBe(true);
  expect(rows().length).toBeLessThan(100);
  rows()[0].focus();
  press('End');
  expect(document.activeElement?.textContent).toContain('Line 4999.');
  expect(rows().length).toBeLessThan(100);
  press('ArrowUp');
  press('ArrowUp');
  expect(document.activeElement?.textContent).toContain('Line 4998.');
  list.node.scrollTop = 0;
  list.node.dispatchEvent(new Event('scroll'));
  expect(rows()[1].textContent).toContain('Line 0.');
  expect(rows().filter(row => row.tabIndex === 0)).toHaveLength(1);
});

test('tools that ran side by side have a lane each, and those after one another share one', () => {
  const side = new Story().start().calls('a', 'b').works('a').works('b').answers('a').answers('b');
  const names = (made: Story) =>
    lanesOf(folded(made.events), 0).map(lane => lane.bars.map(bar => bar.label.slice(0, 1)));
  expect(names(side)).toEqual([['r'], ['a'], ['b']]);
  const after = new Story().start().calls('a').works('a').answers('a').calls('b').works('b');
  expect(names(after.answers('b'))).toEqual([['r'], ['a', 'b']]);
});

test('in no lane of any sample do things overlap', () => {
  for (const name of ['nested', 'swarm', 'graph', 'asking']) {
    const { events } = sample(name);
    for (const lane of lanesOf(folded(events), events.at(-1)?.at ?? 0)) {
      lane.bars.slice(1).forEach((bar, index) => {
        expect(bar.from).toBeGreaterThanOrEqual(lane.bars[index].to);
      });
    }
  }
});

test('bars that no eye could tell apart are joined and counted, and a failed one still shows', () => {
  const bar = (from: number, look = 'good') => ({
    ...{ key: String(from), from, to: from + 0.1, label: 'x', tool: true },
    look
  });
  expect(joined([bar(0), bar(0.2), bar(0.4, 'bad'), bar(50)], 1)).toMatchObject([
    { from: 0, to: 0.5, label: '3 calls', look: 'bad' },
    { from: 50, label: 'x' }
  ]);
});

test('a run as text holds what was asked, said, called, handed over and answered', () => {
  const text = asText(folded(story().events), 1020);
  expect(text).toContain('r ✓ finished · ');
  expect(text).toContain('Turn 1 · 3.0 s · 11 tokens\n✓ dig() · 1.0 s\n  = dig is done');
  expect(text).toContain('✗ boom() · failed · 1.0 s');
  expect(text).toMatch(/r asks: Where\?\n {2}✓ you answered at .*: over there/);
  expect(text.endsWith('It is **green**.')).toBe(true);
  const { events } = sample('swarm');
  const swarm = asText(folded(events), events.at(-1)?.at ?? 0);
  expect(swarm).toMatch(/^> make it \*\*good\*\*\n/);
  expect(swarm).toContain('→ writer hands over to critic: your turn');
  expect(swarm).toContain('  Printed.');
});

test.each([
  [true, 'Yes'],
  [false, 'No'],
  ['yes', 'yes'],
  [{ approve: true, comment: 'once' }, 'allowed: once']
])('an answer is said as its button was: %j', (answer, said) => {
  const made = new Story().start().asks('q').hears('q', answer);
  expect(asText(folded(made.events), 1020)).toMatch(
    new RegExp(`you answered at .*: ${said}$`, 'm')
  );
});

test('values are told shortly in a line, and whole where they are opened', () => {
  expect(short({ a: 'x', b: [1] })).toBe('a="x", b=[1]');
  expect(short({ a: 'x'.repeat(200) })).toHaveLength(90);
  expect([plain(undefined), plain(null), plain('x'), plain(0)]).toEqual(['', 'null', 'x', '0']);
  expect(pretty('[1]')).toBe('[\n  1\n]');
  expect(pretty('[1')).toBe('[1');
  expect([clipped('abc', 3), clipped('abcd', 3)]).toEqual(['abc', 'ab…']);
  expect([seconds(0.04), seconds(99), seconds(120)]).toEqual(['0.0 s', '99.0 s', '2 min']);
});
