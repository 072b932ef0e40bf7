// @vitest-environment jsdom
import type { INotebookTracker } from '@jupyterlab/notebook';
import { Kernel, KernelMessage } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';
import { beforeEach, expect, test, vi } from 'vitest';
import * as hub from '../src/hub';
import { Line, Lines } from '../src/line';
import type { State } from '../src/wire';

const STATE: State = {
  type: 'state',
  version: 1,
  agents: [],
  sessions: [],
  runs: [],
  questions: []
};

interface Comm {
  commId: string;
  isDisposed: boolean;
  open(): void;
  send(data: { content: { type: string } }): void;
  onMsg?(message: unknown): void;
  onClose?(): void;
}

let count = 0;

/** A kernel's connection, of which only comms are there; what is sent is kept. */
class Connection {
  id = 'k1';
  handleComms = true;
  isDisposed = false;
  statusChanged = new Signal<this, Kernel.Status>(this);
  connectionStatusChanged = new Signal<this, Kernel.ConnectionStatus>(this);
  iopubMessage = new Signal<this, KernelMessage.IIOPubMessage>(this);
  disposed = new Signal<this, void>(this);
  idle = (): void => undefined;
  info = new Promise(resolve => (this.idle = () => resolve({})));
  known: string[] = [];
  comms = new Map<string, Comm>();
  sent: unknown[] = [];
  private _target: (comm: unknown, message: unknown) => void = () => undefined;

  registerCommTarget(_: string, target: (comm: unknown, message: unknown) => void): void {
    this._target = target;
  }

  removeCommTarget(): void {
    this._target = () => undefined;
  }

  requestCommInfo(): Promise<unknown> {
    const comms = Object.fromEntries(this.known.map(id => [id, { target_name: 'nbagents' }]));
    return Promise.resolve({ content: { status: 'ok', comms } });
  }

  createComm(target: string, commId = `page${(count += 1)}`): object {
    const sent = this.sent;
    const comm: Comm = {
      commId,
      isDisposed: false,
      open: () => sent.push([commId, 'open', target]),
      send: (data: { content: { type: string } }) => {
        if (comm.isDisposed || this.isDisposed) {
          throw new Error('Cannot send');
        }
        sent.push([commId, data.content]);
      }
    };
    this.comms.set(commId, comm);
    return comm;
  }

  /** The kernel opens its comm, as `%load_ext` does. */
  open(id: string, state = STATE): void {
    this.known = [id];
    this._target(this.createComm('nbagents', id), message('comm_open', id, state));
  }

  /** The kernel says something on its comm, to whoever listens. */
  say(id: string, data: object): void {
    const said = message('comm_msg', id, data);
    this.comms.get(id)?.onMsg?.(said);
    this.iopubMessage.emit(said);
  }
}

function message(type: string, id: string, data: object): KernelMessage.IIOPubMessage {
  const date = new Date(Date.now() + 5000).toISOString(); // The kernel's clock is 5 s ahead.
  return {
    header: { msg_type: type, date },
    content: { comm_id: id, data }
  } as unknown as KernelMessage.IIOPubMessage;
}

function lineTo(kernel: Connection): Line {
  return new Line(kernel as unknown as Kernel.IKernelConnection);
}

const named = (name: string): State => ({
  ...STATE,
  agents: [{ name, kind: 'agent', detail: '', model: null }]
});
const hello = { type: 'hello' };

beforeEach(() => {
  sessionStorage.clear();
  count = 0;
});

test('the kernel opens its comm, and the page answers by another one and says hello', () => {
  const kernel = new Connection();
  const line = lineTo(kernel);
  expect(kernel.sent).toEqual([]);
  kernel.open('c1');
  expect(line.state).toEqual(STATE);
  expect(kernel.sent).toEqual([
    ['page1', 'open', 'nbagents.control'],
    ['page1', hello]
  ]);
  line.say({ type: 'stop', run_id: 'r' });
  expect(kernel.sent.at(-1)).toEqual(['page1', { type: 'stop', run_id: 'r' }]);
  expect(line.now - Date.now() / 1000).toBeCloseTo(5, 0);
});

test('a state takes the place of the last one, and who listens is told', () => {
  const kernel = new Connection();
  const line = lineTo(kernel);
  const seen: (string | undefined)[] = [];
  line.changed.connect(() => seen.push(line.state?.agents[0]?.name));
  kernel.open('c1');
  kernel.say('c1', named('ada'));
  kernel.say('c1', { type: 'from a later version' });
  expect(seen).toEqual([undefined, 'ada']);
});

test('events, documents and refusals go to whom they are for', () => {
  const kernel = new Connection();
  const line = lineTo(kernel);
  const seen: unknown[] = [];
  line.refused.connect((_, refused) => seen.push(refused.message));
  const end = subscribed('r1', seen);
  kernel.open('c1');
  expect(kernel.sent).toContainEqual(['page1', { type: 'watch', run_id: 'r1' }]);
  kernel.say('c1', { type: 'events', run_id: 'r1', events: [{ seq: 1 }] });
  kernel.say('c1', { type: 'events', run_id: 'another', events: [{ seq: 2 }] });
  kernel.say('c1', { type: 'document', document: { run_id: 'r1', events: [] } });
  kernel.say('c1', { type: 'refused', run_id: 'r1', question_id: 'q1', message: 'no' });
  end();
  expect(seen).toEqual([[{ seq: 1 }], { run_id: 'r1', events: [] }, 'no']);
});

test.each(['restarting', 'autorestarting', 'dead'] as const)(
  'a kernel that is %s is forgotten, and heard again when it opens a new comm',
  status => {
    const kernel = new Connection();
    const line = lineTo(kernel);
    kernel.open('c1');
    kernel.statusChanged.emit(status);
    expect(line.state).toBeNull();
    kernel.sent = [];
    line.say({ type: 'stop', run_id: 'r' });
    expect(kernel.sent).toEqual([]);
    kernel.open('c2');
    expect(line.state).toEqual(STATE);
    expect(kernel.sent.at(-1)).toEqual(['page2', hello]);
  }
);

test('%unload_ext, which closes the comm, clears the line', () => {
  const kernel = new Connection();
  const line = lineTo(kernel);
  kernel.open('c1');
  kernel.comms.get('c1')!.onClose!();
  expect(line.state).toBeNull();
});

test('a page that is loaded again takes up the line at once, busy as the kernel may be', () => {
  const before = new Connection();
  lineTo(before);
  before.open('c1');
  const after = new Connection();
  const line = lineTo(after);
  expect(after.sent.at(-1)).toEqual(['page2', hello]);
  after.say('c1', named('ada'));
  expect(line.state?.agents[0].name).toBe('ada');
});

test('another page finds the line once the kernel can be asked', async () => {
  const kernel = new Connection();
  const line = lineTo(kernel);
  kernel.known = ['c1'];
  expect(kernel.sent).toEqual([]);
  kernel.idle();
  await expect.poll(() => kernel.sent.at(-1)).toEqual(['page1', hello]);
  kernel.say('c1', STATE);
  expect(line.state).toEqual(STATE);
});

test('another page finds the line of a busy kernel when that says something', () => {
  const kernel = new Connection();
  const line = lineTo(kernel);
  kernel.say('w1', { method: 'update' });
  expect(kernel.sent).toEqual([]);
  kernel.say('c1', named('ada'));
  expect(line.state?.agents[0].name).toBe('ada');
  expect(kernel.sent.at(-1)).toEqual(['page1', hello]);
});

test('a line that was opened while the connection was lost takes the place of the old one', () => {
  const kernel = new Connection();
  const line = lineTo(kernel);
  kernel.open('c1');
  kernel.say('c2', named('ada'));
  kernel.say('c2', named('bob'));
  expect(line.state?.agents[0].name).toBe('bob');
  expect(kernel.sent.slice(-2)).toEqual([
    ['page2', 'open', 'nbagents.control'],
    ['page2', hello]
  ]);
});

test('a line that the kernel has forgotten meanwhile is given up for the one it has', async () => {
  sessionStorage.setItem('nbagents:k1', 'old');
  const kernel = new Connection();
  const line = lineTo(kernel);
  kernel.known = ['new'];
  kernel.idle();
  await expect.poll(() => kernel.sent.at(-1)).toEqual(['page2', hello]);
  const empty = new Connection();
  lineTo(empty);
  empty.idle();
  await expect.poll(() => sessionStorage.getItem('nbagents:k1')).toBeNull();
  line.dispose();
});

test('notebooks of one kernel share its line, and each sees that of its own', () => {
  const kernels = [new Connection(), new Connection(), new Connection()];
  kernels[1].handleComms = false;
  kernels[2].id = 'k2';
  const panels = kernels.map(kernel => ({
    sessionContext: { session: { kernel }, kernelChanged: new Signal({}) }
  }));
  const tracker = {
    forEach: (each: (panel: unknown) => void) => panels.forEach(each),
    widgetAdded: new Signal({}),
    currentChanged: new Signal<object, unknown>({}),
    currentWidget: panels[0]
  };
  const lines = new Lines(tracker as unknown as INotebookTracker);
  expect(lines.all.length).toBe(2);
  kernels[0].open('c1');
  kernels[2].open('c2', named('ada'));
  expect(lines.current?.state).toEqual(STATE);
  tracker.currentWidget = panels[1];
  expect(lines.current?.state).toEqual(STATE);
  tracker.currentWidget = panels[2];
  expect(lines.current?.state).toEqual(named('ada'));
  kernels[2].disposed.emit();
  expect(lines.current).toBeNull();
  expect(lines.all.length).toBe(1);
});

function subscribed(runId: string, seen: unknown[]): () => void {
  return hub.subscribe(runId, {
    events: events => seen.push(events),
    document: document => seen.push(document)
  });
}

test('a message that cannot be sent breaks nobody, and a comm that was closed is opened anew', () => {
  const kernel = new Connection();
  const line = lineTo(kernel);
  kernel.open('c1');
  kernel.comms.get('page1')!.isDisposed = true;
  line.say({ type: 'stop', run_id: 'r' });
  expect(kernel.sent.slice(-2)).toEqual([
    ['page2', 'open', 'nbagents.control'],
    ['page2', { type: 'stop', run_id: 'r' }]
  ]);
  kernel.isDisposed = true;
  const quiet = vi.spyOn(console, 'warn').mockReturnValue(undefined);
  const end = subscribed('r1', []);
  end();
  expect(() => line.say(hello as never)).not.toThrow();
  expect(quiet).toHaveBeenCalledOnce();
});
