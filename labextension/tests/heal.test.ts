import { KernelMessage } from '@jupyterlab/services';
import { expect, test } from 'vitest';
import { RUN_MIME } from '../src/cells';
import { Healer, PICTURE_MIME } from '../src/heal';

type Data = Record<string, unknown>;

/** The outputs of a cell, as JupyterLab has them, and what they are afterwards. */
function cellOf(...saved: Data[]): { outputs: never; now: () => Data[] } {
  const now = [...saved];
  const outputs = {
    length: now.length,
    get: (at: number) => ({ data: now[at] }),
    set: (at: number, output: { data: Data }) => (now[at] = output.data)
  };
  return { outputs: outputs as never, now: () => now };
}

function message(type: 'display_data' | 'update_display_data', id: string, data: object): never {
  return KernelMessage.createMessage<KernelMessage.IUpdateDisplayDataMsg>({
    msgType: type as 'update_display_data',
    channel: 'iopub',
    session: '',
    content: { data: data as never, metadata: {}, transient: { display_id: id } }
  }) as never;
}

const run = (live: boolean, text = ''): Record<string, unknown> => ({
  [RUN_MIME]: { run_id: 'r1', live, events: [] },
  'text/html': text
});
const picture = (text: string): Record<string, unknown> => ({
  [PICTURE_MIME]: { run_id: 'r1' },
  'text/html': text
});

test('updates of a display from before the page was loaded reach the outputs of their run', () => {
  const cell = cellOf(picture('old'), run(true, 'old'), { 'text/plain': 'other' });
  const healer = new Healer(() => [cell.outputs]);
  healer.hear(message('update_display_data', 'd1', run(true, 'new')));
  expect(cell.now()[1]).toEqual(run(true, 'new'));
  healer.hear(message('update_display_data', 'd1', run(false, 'end')));
  healer.hear(message('update_display_data', 'd2', picture('end')));
  expect(cell.now()).toEqual([picture('end'), run(false, 'end'), { 'text/plain': 'other' }]);
});

test('a display that began on this page is left to JupyterLab', () => {
  const cell = cellOf(run(true, 'old'));
  const healer = new Healer(() => [cell.outputs]);
  healer.hear(message('display_data', 'd1', run(true)));
  healer.hear(message('update_display_data', 'd1', run(false, 'end')));
  expect(cell.now()).toEqual([run(true, 'old')]);
});

test('an output that was complete when it was saved is never changed', () => {
  const earlier = cellOf(run(false, 'waits'), picture('waits'));
  const later = cellOf(run(true, 'goes on'));
  const healer = new Healer(() => [earlier.outputs, later.outputs]);
  healer.hear(message('update_display_data', 'd2', run(false, 'end')));
  healer.hear(message('update_display_data', 'd3', picture('end')));
  healer.hear(message('update_display_data', 'd4', { 'text/html': 'no run' }));
  expect(earlier.now()).toEqual([run(false, 'waits'), picture('waits')]);
  expect(later.now()).toEqual([run(false, 'end')]);
});
