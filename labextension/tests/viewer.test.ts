// @vitest-environment jsdom
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { AnyEvent } from '../src/tree';
import { Viewer } from '../src/viewer';
import type { RunDocument } from '../src/wire';
import { NAMES, sample, Story } from './made';

let viewer: Viewer;

beforeEach(() => {
  vi.useFakeTimers();
  viewer = new Viewer(() => undefined);
  document.body.replaceChildren(viewer.node);
});

afterEach(() => {
  viewer.dispose();
  vi.useRealTimers();
});

/** Let the frame come in which all is drawn. */
const frame = () => vi.advanceTimersByTime(40);
const show = (document: object) => {
  viewer.setDocument(document as RunDocument);
  frame();
};
const part = (selector: string) => viewer.node.querySelector<HTMLElement>(selector) as HTMLElement;
const rows = () => [...viewer.node.querySelectorAll<HTMLElement>('[role=treeitem]')];
const press = (name: string) =>
  [...viewer.node.querySelectorAll('button')].find(each => each.textContent === name)?.click();
const problem = () => (part('.nba-problem').hidden ? '' : part('.nba-problem').textContent);
function put(selector: string, value: string, event = 'input'): void {
  const input = part(selector) as HTMLInputElement;
  input.value = value;
  input.dispatchEvent(new Event(event));
  frame();
}

test.each(NAMES)('%s is shown whole', name => {
  show(sample(name));
  expect(rows().length).toBeGreaterThan(0);
  expect(problem()).toBe('');
  expect(part('.nba-title').textContent).toMatch(/ · \d/);
  expect(part('.nba-map').hidden).toBe(sample(name).picture === undefined);
});

test('what happens is added to what is there, once', () => {
  const story = new Story().start().add('turn_started').add('text_delta', { text: 'Once ' });
  show(story.document({ live: true }));
  const [row] = rows();
  const more = story.add('text_delta', { text: 'upon' }).events.slice(-1);
  viewer.append(more);
  viewer.append(more);
  frame();
  expect(rows()).toEqual([row]);
  expect(row.textContent?.trim()).toBe('Once upon');
});

test('what is opened stays open while the run goes on, and in its saved document', () => {
  const story = new Story().start().add('turn_started').calls('dig').works('dig').answers('dig');
  show(story.document({ live: true }));
  const [row] = rows();
  row.querySelector('code')?.click();
  expect(row.getAttribute('aria-expanded')).toBe('true');
  viewer.append(story.says('Done.').ends().events.slice(-2));
  frame();
  show(
    story.document({ events: story.events.filter(({ type }) => type !== 'turn_started') as [] })
  );
  expect(rows()[1]).toBe(row);
  expect(row.getAttribute('aria-expanded')).toBe('true');
  expect(rows()).toHaveLength(5);
});

test('the clock of a run under way goes on, and stops with it', () => {
  vi.setSystemTime(1_010_000);
  const story = new Story().start();
  show(story.document({ live: true }));
  expect(part('.nba-title').textContent).toContain('9.0 s');
  vi.advanceTimersByTime(2100);
  expect(part('.nba-title').textContent).toContain('11.0 s');
  viewer.append(story.ends().events.slice(-1));
  vi.advanceTimersByTime(5000);
  expect(part('.nba-title').textContent).toContain('finished · 1.0 s');
});

test('the slider shows the run as it was, and nodes of the picture as they were', () => {
  const graph = sample('graph');
  show(graph);
  const status = () => part('g[data-node="flow/draft"]').dataset.status;
  const whole = rows().length;
  press('Replay');
  frame();
  expect(part('.nba-slider').getAttribute('aria-valuetext')).toContain(
    `event ${graph.events.length} of ${graph.events.length}`
  );
  expect([status(), rows().length]).toEqual(['done', whole]);
  put('.nba-slider', '1');
  expect([status(), rows().length]).toEqual(['pending', 0]);
  put('.nba-slider', '2');
  expect(status()).toBe('running');
  put('.nba-slider', String(graph.events.length));
  expect([status(), rows().length]).toEqual(['done', whole]);
  put('.nba-slider', '1');
  press('Replay');
  frame();
  expect([status(), rows().length]).toEqual(['done', whole]);
});

test('a replay that is opened during a run follows it, and stays where it was put', () => {
  const story = new Story().start().add('turn_started').add('text_delta', { text: 'Once ' });
  const place = () => part('.nba-slider').getAttribute('aria-valuetext');
  show(story.document({ live: true }));
  press('Replay');
  frame();
  expect(place()).toContain('event 3 of 3');
  viewer.append(story.add('text_delta', { text: 'upon ' }).events.slice(-1));
  frame();
  expect(place()).toContain('event 4 of 4');
  put('.nba-slider', '3');
  viewer.append(story.add('text_delta', { text: 'a time' }).events.slice(-1));
  frame();
  expect(place()).toContain('event 3 of 5');
  expect(rows()[0].textContent?.trim()).toBe('Once');
  // In the document that is saved the deltas are one message.
  story.says('Once upon a time').ends();
  const lasting = story.events.filter(({ type }) => !/delta|turn/.test(type));
  show(story.document({ events: lasting as [] }));
  expect(place()).toContain('event 1 of 3');
  put('.nba-slider', '3');
  expect(part('.nba-title').textContent).toContain('finished');
});

test('every place of the slider can be shown', () => {
  for (const name of NAMES) {
    const { events } = sample(name);
    show(sample(name));
    press('Replay');
    press('Time');
    events.forEach((_, index) => put('.nba-slider', String(index + 1)));
    press('Time');
    press('Replay');
    frame();
    expect(problem()).toBe('');
  }
}, 20_000);

test('a replay plays to its end, and then again from the beginning', () => {
  show(sample('agent'));
  press('Replay');
  press('▶ Play');
  vi.advanceTimersByTime(100);
  const slider = part('.nba-slider') as HTMLInputElement;
  expect(Number(slider.value)).toBeLessThan(5);
  press('❚❚ Pause');
  frame();
  const stopped = slider.value;
  vi.advanceTimersByTime(1000);
  expect(slider.value).toBe(stopped);
  press('▶ Play');
  vi.advanceTimersByTime(5000);
  expect(slider.value).toBe(slider.max);
  expect(part('.nba-replay button').textContent).toBe('▶ Play');
});

test('a search and a filter end when their bar is closed', () => {
  show(sample('agent'));
  const whole = rows().length;
  press('Find');
  frame();
  expect(document.activeElement).toBe(part('input[type=search]'));
  put('input[type=search]', 'GREEN');
  expect(rows()).toHaveLength(2);
  put('input[type=search]', '');
  put('select', 'tools', 'change');
  expect(rows()).toHaveLength(whole - 2);
  press('Find');
  frame();
  expect(rows()).toHaveLength(whole);
  press('Find');
  expect((part('select') as HTMLSelectElement).value).toBe('all');
});

test('a node of the picture leads to its row, also when a search hides it', () => {
  show(sample('nested'));
  press('Find');
  put('input[type=search]', 'nothing has this');
  expect(rows()).toHaveLength(0);
  const node = [...viewer.node.querySelectorAll<SVGElement>('g[data-node]')].at(-1);
  node?.dispatchEvent(new MouseEvent('click', { bubbles: true }));
  const focused = document.activeElement as HTMLElement;
  expect(focused.getAttribute('role')).toBe('treeitem');
  expect(focused.getAttribute('aria-expanded')).toBe('true');
});

test('each bar of the time axis leads to a row', () => {
  show(sample('nested'));
  press('Time');
  frame();
  const bars = () => [...viewer.node.querySelectorAll<SVGElement>('.nba-bar[data-key]')];
  expect(bars().length).toBeGreaterThan(3);
  bars().forEach((_, index) => {
    bars()[index].focus();
    bars()[index].dispatchEvent(new MouseEvent('click', { bubbles: true }));
    expect(document.activeElement?.getAttribute('role')).toBe('treeitem');
  });
});

test('a bar of the time axis keeps the focus while the run goes on', () => {
  const story = new Story().start().calls('dig').works('dig');
  show(story.document({ live: true }));
  press('Time');
  frame();
  const label = () => document.activeElement?.getAttribute('aria-label');
  viewer.node.querySelector<SVGElement>('.nba-bar-tool')?.focus();
  expect(label()).toBe('dig(), running');
  viewer.append(story.answers('dig').events.slice(-1));
  frame();
  expect(label()).toBe('dig(), 1.0 s');
});

test('all is told to a screen reader', () => {
  show(sample('graph'));
  expect(viewer.node.getAttribute('aria-label')).toBe('Run of flow');
  for (const label of [
    'View',
    'What happened',
    'When it ran',
    'Replay',
    'Find in this run',
    'Show'
  ]) {
    expect(part(`[aria-label="${label}"]`)).not.toBeNull();
  }
});

test('a document that cannot be copied says so', async () => {
  show(sample('agent'));
  press('Copy');
  await vi.advanceTimersByTimeAsync(10);
  expect(part('.nba-bar-of-tools').textContent).toContain('Not allowed');
});

test.each([
  ['no list', { events: 'none' }, 'no list of events'],
  ['no events at all', { events: undefined }, 'no list of events'],
  ['an empty list', { events: [] }, 'no events in this document'],
  ['an empty list of a run under way', { events: [], live: true }, ''],
  ['a newer version', { version: 2 }, 'newer version of nbagents (format 2)'],
  ['no version', { version: undefined }, 'does not know'],
  ['a picture that is none', { picture: 5 }, ''],
  ['a broken picture', { picture: '<svg xmlns="x"><' }, ''],
  ['an ending that is none', { ending: 5 }, '']
])('a document with %s', (_, more, words) => {
  show({ ...sample('agent'), ...more });
  expect(problem()).toContain(words);
  expect(problem() === '').toBe(words === '');
});

test('events of which nothing is known are counted, and the others shown', () => {
  const story = new Story().start().says('Hello.').ends();
  const odd = [null, 5, 'x', [], {}, { type: 'text_delta' }, { ...story.events[1], type: 'new' }];
  show(story.document({ events: [...story.events, ...odd] as [] }));
  expect(problem()).toBe('⚠ 7 of 10 events cannot be read. The others are shown.');
  expect(rows()).toHaveLength(1);
  viewer.append([null, { type: 'text_delta' }] as unknown as AnyEvent[]);
  show({ ...story.document(), version: 3, events: [...story.events, ...odd] });
  expect(problem()).toContain('format 3');
  expect(problem()).toContain('7 of 10');
});

const WRONG = [undefined, null, 5, 'x', [], [null], {}, { parts: 5 }, true];

test('whatever field of whatever event is missing or wrong, the rest is shown', () => {
  for (const name of NAMES) {
    const { events, ...rest } = sample(name);
    events.forEach((event, index) => {
      for (const field of Object.keys(event)) {
        const wrong = { ...event, [field]: WRONG[index % WRONG.length] };
        show({ ...rest, events: events.with(index, wrong as never) });
        expect(problem(), JSON.stringify(wrong)).not.toContain('cannot be shown');
      }
    });
  }
  press('Time');
  frame();
}, 60_000);

test('a tree too deep to be drawn says so', () => {
  const story = new Story().start();
  for (let index = 0; index < 20_000; index += 1) {
    const above = index ? `n${index - 1}` : 'r';
    story.start(`n${index}`, { parent_id: above, node: `n${index}` });
  }
  show(story.document());
  expect(problem()).toContain('cannot be shown');
});

test('of 10,000 events only a window of rows exists, and the answer at the end can be reached', () => {
  const story = new Story().start();
  while (story.events.length < 9998) {
    const id = `c${story.events.length}`;
    story.calls(id).works(id).answers(id);
  }
  show(story.says('All done.').ends().document());
  expect(rows().length).toBeGreaterThan(10);
  expect(rows().length).toBeLessThan(100);
  rows()[0].focus();
  rows()[0].dispatchEvent(new KeyboardEvent('keydown', { key: 'End', bubbles: true }));
  expect(document.activeElement?.textContent).toContain('All done.');
  press('Time');
  frame();
  expect(viewer.node.querySelectorAll('.nba-bar').length).toBeLessThan(2000);
});

test('a run that nobody asked to see is one line that opens, and stays as it was left', () => {
  const document = { ...sample('agent'), folded: true };
  show(document);
  const crease = part('.nba-crease');
  expect(crease.hidden).toBe(false);
  expect(crease.getAttribute('aria-expanded')).toBe('false');
  expect(part('.nba-title').textContent).toContain('finished');
  expect(rows()).toEqual([]);
  crease.click();
  frame();
  expect(crease.getAttribute('aria-expanded')).toBe('true');
  expect(viewer.node.classList.contains('nba-folded')).toBe(false);
  expect(rows().length).toBeGreaterThan(0);
  show(document);
  expect(crease.getAttribute('aria-expanded')).toBe('true');
});

test('a run that is shown has nothing to unfold', () => {
  show(sample('agent'));
  expect(part('.nba-crease').hidden).toBe(true);
});

test('a document without its beginning says that only a part is shown', () => {
  const { events, ...rest } = sample('nested');
  show({ ...rest, events: events.slice(1) });
  expect(rows().length).toBeGreaterThan(0);
  expect(problem()).toBe('⚠ Its beginning is missing, so only a part of it is shown.');
});

test('a document of which nothing can be shown without its beginning says so', () => {
  const { events, ...rest } = sample('agent');
  show({ ...rest, events: events.slice(1) });
  expect(problem()).toBe('⚠ Its beginning is missing, so nothing of it is shown.');
});

test('a document in which a run below has no beginning says so', () => {
  const { events, ...rest } = sample('nested');
  const child = events.findLastIndex(({ type }) => type === 'run_started');
  show({ ...rest, events: events.toSpliced(child, 1) });
  expect(problem()).toBe(
    '⚠ The beginning of a run in it is missing, so only a part of it is shown.'
  );
  show({ ...rest, events: events.with(child, { type: 'run_started' } as never) });
  expect(problem()).toContain('events cannot be read. The beginning of a run in it is missing');
});
