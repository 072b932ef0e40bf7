/** The line to a kernel: two comms, one a direction, so that neither waits for the other's cell. */
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { Kernel, KernelMessage } from '@jupyterlab/services';
import type { JSONObject } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import * as hub from './hub';
import type { Kernel as FromKernel, Page as FromPage, QuestionRow, Refused, State } from './wire';

const TARGET = 'nbagents';
const CONTROL = 'nbagents.control';

/** The line to one kernel, from the first connection that takes comms until that is disposed. */
export class Line implements IDisposable {
  private _state: State | null = null;
  private _comm: Kernel.IComm | null = null;
  private _control: Kernel.IComm | null = null;
  private _changed = new Signal<this, void>(this);
  private _refused = new Signal<this, Refused>(this);
  private _ahead = 0;
  private _isDisposed = false;

  constructor(private _kernel: Kernel.IKernelConnection) {
    _kernel.registerCommTarget(TARGET, this._opened);
    _kernel.statusChanged.connect(this._onStatus, this);
    _kernel.connectionStatusChanged.connect(this._onConnection, this);
    _kernel.iopubMessage.connect(this._overhear, this);
    this._find().catch(() => undefined); // A kernel that ends meanwhile has no line.
  }

  /** What the panel shows; null until the kernel has said it. */
  get state(): State | null {
    return this._state;
  }

  /** The time of the kernel's clock, in seconds since the epoch. */
  get now(): number {
    return Date.now() / 1000 + this._ahead;
  }

  /** Tells that the state is another. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Tells of answers that were not taken. */
  get refused(): ISignal<this, Refused> {
    return this._refused;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Send the kernel a message, which is lost while there is no connection. Never throws. */
  say(message: FromPage): void {
    try {
      if (this._control?.isDisposed) {
        this._control = this._openControl(); // The kernel has closed it, but not its own comm.
      }
      // As widgets do it: only such messages reach a kernel that runs a cell.
      this._control?.send({ method: 'custom', content: message as unknown as JSONObject });
    } catch (error) {
      // The kernel has ended, or the connection to it has. Whoever shows a run shows it on.
      console.warn('nbagents: a message did not reach the kernel.', error);
    }
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    if (!this._kernel.isDisposed) {
      this._kernel.removeCommTarget(TARGET, this._opened);
    }
    this._forget();
    Signal.clearData(this);
  }

  /** Where the tab keeps the line's name over a reload of its page. */
  private get _key(): string {
    return `nbagents:${this._kernel.id}`;
  }

  private _opened = (comm: Kernel.IComm, open: KernelMessage.ICommOpenMsg): void => {
    this._attach(comm);
    this._hear(open);
  };

  private _attach(comm: Kernel.IComm): void {
    this._comm = comm;
    sessionStorage.setItem(this._key, comm.commId);
    comm.onMsg = message => this._hear(message);
    comm.onClose = () => {
      if (comm === this._comm) {
        this._forget();
      }
    };
    this._control = this._openControl();
    this._greet();
  }

  /** Open a comm of this page alone: what becomes of another page's must not end it. */
  private _openControl(): Kernel.IComm {
    const control = this._kernel.createComm(CONTROL);
    control.open({});
    return control;
  }

  private _greet(): void {
    this.say({ type: 'hello' });
    for (const runId of hub.watched()) {
      this.say({ type: 'watch', run_id: runId });
    }
  }

  /** Take up a line that was open before the page was loaded. */
  private async _find(): Promise<void> {
    const remembered = sessionStorage.getItem(this._key);
    if (remembered) {
      this._attach(this._kernel.createComm(TARGET, remembered));
    }
    await this._kernel.info; // Neither it nor the list comes before the cell that runs has ended.
    const reply = await this._kernel.requestCommInfo({ target_name: TARGET });
    const [id] = reply.content.status === 'ok' ? Object.keys(reply.content.comms) : [];
    if (this._isDisposed || id === this._comm?.commId) {
      return;
    }
    if (id) {
      this._attach(this._kernel.createComm(TARGET, id));
    } else if (remembered === this._comm?.commId) {
      this._forget();
    }
  }

  /** Take up a line on which the kernel speaks, whose opening this page has missed. */
  private _overhear(_: unknown, message: KernelMessage.IIOPubMessage): void {
    if (!KernelMessage.isCommMsgMsg(message)) {
      return;
    }
    if (this._comm?.commId !== message.content.comm_id && fromKernel(message.content.data)) {
      this._attach(this._kernel.createComm(TARGET, message.content.comm_id));
      this._hear(message);
    }
  }

  private _hear(message: KernelMessage.ICommOpenMsg | KernelMessage.ICommMsgMsg): void {
    const told = fromKernel(message.content.data);
    switch (told?.type) {
      case 'state': {
        const sent = Date.parse(message.header.date);
        this._ahead = Number.isNaN(sent) ? 0 : (sent - Date.now()) / 1000;
        this._state = told;
        this._changed.emit();
        break;
      }
      case 'events':
        hub.publish(told.run_id, told.events);
        break;
      case 'document':
        hub.document(told.document.run_id, told.document);
        break;
      case 'refused':
        this._refused.emit(told);
        break;
    }
  }

  private _onStatus(_: unknown, status: Kernel.Status): void {
    // The kernel does not close what it has opened when it restarts.
    if (['restarting', 'autorestarting', 'terminating', 'dead'].includes(status)) {
      this._forget();
    }
  }

  private _onConnection(_: unknown, status: Kernel.ConnectionStatus): void {
    if (status === 'connected') {
      this._greet();
    }
  }

  private _forget(): void {
    this._comm = this._control = null;
    sessionStorage.removeItem(this._key);
    if (this._state) {
      this._state = null;
      this._changed.emit();
    }
  }
}

/** Recognise what our kernel side says. */
function fromKernel(data: unknown): FromKernel | null {
  const told = data as FromKernel | null;
  return ['state', 'events', 'document', 'refused'].includes(String(told?.type)) ? told : null;
}

/** The lines to the kernels of all notebooks that are open. */
export class Lines {
  private _lines = new Map<string, Line>();
  private _changed = new Signal<this, void>(this);

  constructor(private _tracker: INotebookTracker) {
    _tracker.forEach(panel => this._follow(panel));
    _tracker.widgetAdded.connect((_, panel) => this._follow(panel));
    _tracker.currentChanged.connect(() => this._changed.emit());
    hub.onWatch(runId => this.all.forEach(line => line.say({ type: 'watch', run_id: runId })));
  }

  /** Tells that a line's state, or the current notebook, is another. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get all(): Line[] {
    return [...this._lines.values()];
  }

  /** The notebook that the panel shows. */
  get notebook(): NotebookPanel | null {
    return this._tracker.currentWidget;
  }

  /** The line of that notebook. */
  get current(): Line | null {
    return this.of(this.notebook);
  }

  /** Return the line of a notebook. */
  of(notebook: NotebookPanel | null): Line | null {
    return this._lines.get(notebook?.sessionContext.session?.kernel?.id ?? '') ?? null;
  }

  private _follow(panel: NotebookPanel): void {
    const { sessionContext } = panel;
    this._connect(sessionContext.session?.kernel ?? null);
    sessionContext.kernelChanged.connect((_, { newValue }) => this._connect(newValue));
  }

  private _connect(kernel: Kernel.IKernelConnection | null): void {
    // Of several connections to a kernel one takes comms; it serves all notebooks.
    if (kernel?.handleComms && !this._lines.has(kernel.id)) {
      const { id } = kernel;
      const line = new Line(kernel);
      this._lines.set(id, line);
      line.changed.connect(() => this._changed.emit());
      kernel.disposed.connect(() => {
        line.dispose();
        this._lines.delete(id);
        this._changed.emit();
      });
    }
    this._changed.emit();
  }
}

/** Name a question among those of all kernels. */
export function keyOf(question: QuestionRow): string {
  return `${question.run_id} ${question.question_id}`;
}
