// @vitest-environment jsdom
import { KernelMessage } from '@jupyterlab/services';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RUN_MIME } from '../src/cells';
import { Healer, PICTURE_MIME } from '../src/heal';

type Data = Record<string, unknown>;

/** The outputs of a cell, as JupyterLab has them, and what they are afterwards. */
function cellOf(...saved: Data[]) {
  const now = [...saved];
  const outputs = {
    get length() {
      return now.length;
    },
    get: (at: number) => ({ data: now[at] }),
    set: (at: number, output: { data: Data }) => (now[at] = output.data),
    add: (output: { data: Data }) => now.push(output.data)
  };
  return {
    shown: { id: crypto.randomUUID(), outputs: outputs as never, request: '' },
    now: () => now
  };
}

/** An update for a display, which the request `m1` began; or the display itself. */
function update(data: object, msgType: string = 'update_display_data'): never {
  return KernelMessage.createMessage<KernelMessage.IUpdateDisplayDataMsg>({
    msgType: msgType as 'update_display_data',
    channel: 'iopub',
    session: '',
    content: { data: data as never, metadata: {}, transient: { display_id: 'd' } },
    parentHeader: { msg_id: 'm1' } as never
  }) as never;
}

const run = (live: boolean, text = ''): Data => ({
  [RUN_MIME]: { run_id: 'r1', live, events: [] },
  'text/html': text
});
const picture = (text: string, isLast = false): Data => ({
  [PICTURE_MIME]: { run_id: 'r1' },
  'text/html': text,
  ...(isLast ? { 'text/vnd.graphviz': 'digraph {}' } : {})
});

beforeEach(() => {
  vi.useFakeTimers();
  sessionStorage.clear();
});
afterEach(() => void vi.useRealTimers());

test('the end of a run reaches all outputs that show it under way, moved, copied or saved', () => {
  const cell = cellOf(picture('old'), run(true, 'old'), { 'text/plain': 'other' });
  const copy = cellOf(run(true, 'old'));
  const healer = new Healer(() => [cell.shown, copy.shown]);
  healer.hear(update(run(true, 'frame')));
  healer.hear(update(picture('frame')));
  healer.hear(update(run(false, 'end')));
  healer.hear(update(picture('end', true)));
  vi.runAllTimers();
  expect(cell.now()).toEqual([picture('end', true), run(false, 'end'), { 'text/plain': 'other' }]);
  expect(copy.now()).toEqual([run(false, 'end')]);
});

test('what JupyterLab has written meanwhile is left as it is', () => {
  const cell = cellOf({ 'text/plain': '' });
  cell.shown.request = 'm1';
  const healer = new Healer(() => [cell.shown]);
  healer.hear(update(run(false, 'end')));
  cell.now()[0] = run(false, 'end, by JupyterLab');
  vi.runAllTimers();
  expect(cell.now()).toEqual([run(false, 'end, by JupyterLab')]);
});

test('an output that was complete when it was saved is never changed', () => {
  const earlier = cellOf(run(false, 'waits'), picture('waits', true));
  const later = cellOf(run(true, 'goes on'));
  const healer = new Healer(() => [earlier.shown, later.shown]);
  healer.hear(update(run(false, 'end')));
  healer.hear(update(picture('end', true)));
  healer.hear(update({ 'text/html': 'no run' }));
  vi.runAllTimers();
  expect(earlier.now()).toEqual([run(false, 'waits'), picture('waits', true)]);
  expect(later.now()).toEqual([run(false, 'end')]);
});

test('a cell that was cleared while it ran gets the end as an output of its own, once', () => {
  const [other, cleared] = [cellOf({ 'text/plain': 'other' }), cellOf()];
  cleared.shown.request = 'm1';
  // Two views of one notebook have the same outputs.
  const healers = [1, 2].map(() => new Healer(() => [other.shown, cleared.shown]));
  healers.forEach(healer => healer.hear(update(picture('end', true))));
  healers.forEach(healer => healer.hear(update(run(false, 'end'))));
  vi.runAllTimers();
  expect(cleared.now()).toEqual([picture('end', true), run(false, 'end')]);
  expect(other.now()).toEqual([{ 'text/plain': 'other' }]);
});

test('a cell that was moved before its run was drawn shows the end in its place', () => {
  const cell = cellOf({ 'text/plain': [] }, { 'text/plain': 'printed' });
  cell.shown.request = 'm1';
  new Healer(() => [cell.shown]).hear(update(run(false, 'end')));
  vi.runAllTimers();
  expect(cell.now()).toEqual([run(false, 'end'), { 'text/plain': 'printed' }]);
});

test('a page that is loaded again, and has not saved what its cell showed, gets the end', () => {
  const [before, other] = [cellOf({ 'text/plain': '' }), cellOf()];
  before.shown.request = 'm1';
  new Healer(() => [other.shown, before.shown]).hear(update({ 'text/plain': '' }, 'display_data'));
  const after = { ...cellOf() };
  after.shown.id = before.shown.id;
  new Healer(() => [other.shown, after.shown]).hear(update(run(false, 'end')));
  vi.runAllTimers();
  expect([after.now(), other.now()]).toEqual([[run(false, 'end')], []]);
  // Another page, which has not run the cell, is left alone.
  sessionStorage.clear();
  const elsewhere = cellOf();
  elsewhere.shown.id = before.shown.id;
  new Healer(() => [elsewhere.shown]).hear(update(run(false, 'end')));
  vi.runAllTimers();
  expect(elsewhere.now()).toEqual([]);
});

test('of pages that share a document one writes, and another only where that one is gone', () => {
  const cell = cellOf(run(true));
  const first = new Healer(() => [cell.shown]);
  const second = new Healer(
    () => [cell.shown],
    () => 1
  );
  for (const healer of [second, first]) {
    healer.hear(update(run(false, healer === first ? 'by the first' : 'by the second')));
  }
  vi.runAllTimers();
  expect(cell.now()).toEqual([run(false, 'by the first')]);
  cell.now()[0] = run(true);
  second.hear(update(run(false, 'by the second')));
  vi.runAllTimers();
  expect(cell.now()).toEqual([run(false, 'by the second')]);
});
