/**
 * What a run shows after its page was loaded again.
 *
 * JupyterLab forgets then which output a kernel's display id stands for, and drops what comes for
 * it. The saved output knows its run, and so does each update.
 */
import type { ICodeCellModel } from '@jupyterlab/cells';
import type * as nbformat from '@jupyterlab/nbformat';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { KernelMessage } from '@jupyterlab/services';
import { RUN_MIME } from './cells';
import type { PictureStub, RunDocument } from './wire';

export const PICTURE_MIME = 'application/vnd.nbagents.picture+json';

type Data = nbformat.IMimeBundle;
type Outputs = Pick<ICodeCellModel['outputs'], 'length' | 'get' | 'set'>;

/** Write updates of displays that this page has not seen begin into the outputs of their runs. */
export class Healer {
  private _seen = new Set<string>();
  private _healed = new Map<string, Outputs>();

  /** It is told the outputs of each cell that the notebook has now. */
  constructor(private _cells: () => Iterable<Outputs>) {}

  /** Hear what the kernel says to all. */
  hear(message: KernelMessage.IIOPubMessage): void {
    if (KernelMessage.isDisplayDataMsg(message)) {
      this._seen.add(message.content.transient?.display_id ?? '');
    } else if (KernelMessage.isUpdateDisplayDataMsg(message)) {
      const { data, metadata, transient } = message.content;
      if (!this._seen.has(transient.display_id)) {
        this._write(data, metadata);
      }
    }
  }

  private _write(data: Data, metadata: nbformat.OutputMetadata): void {
    const run = runOf(data);
    const outputs = run && (this._healed.get(run) ?? this._live(run));
    if (!outputs) {
      return;
    }
    this._healed.set(run, outputs);
    const mime = RUN_MIME in data ? RUN_MIME : PICTURE_MIME;
    for (let at = 0; at < outputs.length; at += 1) {
      const old = outputs.get(at).data as Data;
      if (mime in old && runOf(old) === run) {
        outputs.set(at, { output_type: 'display_data', data, metadata });
      }
    }
  }

  /** Find the cell in which the run was under way when the notebook was saved. */
  private _live(run: string): Outputs | null {
    for (const outputs of this._cells()) {
      for (let at = 0; at < outputs.length; at += 1) {
        const found = outputs.get(at).data[RUN_MIME] as RunDocument | undefined;
        if (found?.live && found.run_id === run) {
          return outputs;
        }
      }
    }
    return null;
  }
}

/** Heal a notebook for as long as it is open. */
export function heal(panel: NotebookPanel): void {
  const healer = new Healer(() =>
    panel.content.widgets
      .filter(cell => cell.model.type === 'code')
      .map(cell => (cell.model as ICodeCellModel).outputs)
  );
  panel.sessionContext.iopubMessage.connect((_, message) =>
    healer.hear(message as KernelMessage.IIOPubMessage)
  );
}

/** Say which run an output shows, or the picture of which. */
function runOf(data: Data): string {
  const told: unknown = data[RUN_MIME] ?? data[PICTURE_MIME];
  return (told as RunDocument | PictureStub | undefined)?.run_id ?? '';
}
