/**
 * The end of a run, brought to the outputs that miss it.
 *
 * JupyterLab knows which output an update belongs to only while the cell that ran stays as it is.
 * A page that is loaded again, a cell that is moved, pasted or copied, and outputs that were
 * cleared miss the update. The output knows its run, and so does each update.
 */
import type { CodeCell, ICodeCellModel } from '@jupyterlab/cells';
import type * as nbformat from '@jupyterlab/nbformat';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { KernelMessage } from '@jupyterlab/services';
import { RUN_MIME } from './cells';
import { documentsOf } from './documents';
import type { PictureStub, RunDocument } from './wire';

export const PICTURE_MIME = 'application/vnd.nbagents.picture+json';
/** What only the last picture of a run has beside it. */
const SOURCE_MIME = 'text/vnd.graphviz';
/** How much later each further page looks that shares the document with others. */
const TURN_MS = 1500;
const KEY = 'nbagents:asked';
const MOST_KEPT = 50;

type Data = nbformat.IMimeBundle;
type Outputs = Pick<ICodeCellModel['outputs'], 'length' | 'get' | 'set' | 'add'>;

/** The outputs of a cell, and the request that it was last run by in this page. */
export interface Shown {
  id: string;
  outputs: Outputs;
  request?: string;
}

/** Writes how a run ended where the notebook still shows it under way, or not at all. */
export class Healer {
  /** It is told the cells that the notebook has now, and how many pages are to look before it. */
  constructor(
    private _cells: () => Iterable<Shown>,
    private _turn: () => number = () => 0
  ) {}

  /** Hear what the kernel says to all. */
  hear(message: KernelMessage.IIOPubMessage): void {
    const request = (message.parent_header as KernelMessage.IHeader).msg_id;
    if (KernelMessage.isDisplayDataMsg(message) && isEmpty(message.content.data)) {
      const asking = [...this._cells()].find(cell => cell.request === request);
      if (request && asking) {
        remember(request, asking.id);
      }
      return;
    }
    if (!KernelMessage.isUpdateDisplayDataMsg(message)) {
      return;
    }
    const { data, metadata } = message.content;
    if (isLast(data)) {
      // JupyterLab writes first what it can. Then one page after the other: of several on one
      // document, two that write at once would write twice.
      setTimeout(() => this._heal(data, metadata, request), this._turn() * TURN_MS);
    }
  }

  private _heal(data: Data, metadata: nbformat.OutputMetadata, request?: string): void {
    const output = { output_type: 'display_data', data, metadata };
    const mime = mimeOf(data);
    const run = runOf(data);
    let isShown = false;
    let own: Outputs | undefined;
    const asking = remembered(request);
    for (const { id, outputs, request: ran } of this._cells()) {
      own = (request && ran === request) || (!ran && id === asking) ? outputs : own;
      for (let at = 0; at < outputs.length; at += 1) {
        const old = outputs.get(at).data as Data;
        if (mime in old && shows(old, run)) {
          isShown = true;
          if (!isLast(old)) {
            outputs.set(at, output);
          }
        }
      }
    }
    if (!isShown && own) {
      // What the cell showed was cleared while it ran, or not yet saved when the page was loaded.
      const at = emptyOf(own);
      at < 0 ? own.add(output) : own.set(at, output);
    }
  }
}

/** Heal a notebook for as long as it is open. */
export function heal(panel: NotebookPanel): void {
  const healer = new Healer(
    () =>
      panel.content.widgets
        .filter(cell => cell.model.type === 'code')
        .map(cell => ({
          id: cell.model.id,
          outputs: (cell.model as ICodeCellModel).outputs,
          request: (cell as CodeCell).outputArea.future?.msg.header.msg_id
        })),
    () => turnOf(panel)
  );
  panel.sessionContext.iopubMessage.connect((_, message) =>
    healer.hear(message as KernelMessage.IIOPubMessage)
  );
}

/** Count the pages that share the document and write before this one; the first is that which ran the cell. */
function turnOf(panel: NotebookPanel): number {
  if (!panel.model?.collaborative) {
    return 0;
  }
  const { awareness } = panel.model.sharedModel as unknown as { awareness: Awareness };
  return 1 + [...awareness.states.keys()].filter(id => id < awareness.clientID).length;
}

interface Awareness {
  clientID: number;
  states: Map<number, unknown>;
}

function mimeOf(data: Data): string {
  return RUN_MIME in data ? RUN_MIME : PICTURE_MIME;
}

function documentOf(data: Data): RunDocument | undefined {
  return data[RUN_MIME] as unknown as RunDocument | undefined;
}

/** Tell whether an update is the last of its run: until then pages are told in another way. */
function isLast(data: Data): boolean {
  const run = documentOf(data);
  return run ? !run.live : PICTURE_MIME in data && SOURCE_MIME in data;
}

/** Find the output that was made for a run and never drawn. */
function emptyOf(outputs: Outputs): number {
  for (let at = 0; at < outputs.length; at += 1) {
    if (isEmpty(outputs.get(at).data as Data)) {
      return at;
    }
  }
  return -1;
}

function isEmpty(data: Data): boolean {
  return Object.keys(data).join() === 'text/plain' && !String(data['text/plain']);
}

/** Remember, over a reload of the page, which cell of this tab a request came from. */
function remember(request: string, cell: string): void {
  const known = asked().filter(([name]) => name !== request);
  sessionStorage.setItem(KEY, JSON.stringify([[request, cell], ...known].slice(0, MOST_KEPT)));
}

function remembered(request?: string): string | undefined {
  return asked().find(([name]) => name === request)?.[1];
}

function asked(): [request: string, cell: string][] {
  return JSON.parse(sessionStorage.getItem(KEY) ?? '[]');
}

/** Say which run an output shows, or the picture of which. */
function runOf(data: Data): string {
  const picture = data[PICTURE_MIME] as unknown as PictureStub | undefined;
  return (documentOf(data) ?? picture)?.run_id ?? '';
}

function shows(data: Data, run: string): boolean {
  const document = documentOf(data);
  return document ? documentsOf(document).some(each => each.run_id === run) : runOf(data) === run;
}
