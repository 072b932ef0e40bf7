/** Where in the open notebooks a run is shown. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { CodeCell } from '@jupyterlab/cells';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { documentsOf } from './documents';
import type { RunDocument } from './wire';

export const RUN_MIME = 'application/vnd.nbagents.run+json';

/** The cell that shows a run. */
export interface Place {
  panel: NotebookPanel;
  index: number;
}

/**
 * Find the cell of a run: of several the one in which it is under way, else the last one; else
 * the cell that its kernel names.
 */
export function placeOf(tracker: INotebookTracker, runId: string, cellId?: string): Place | null {
  let named: Place | null = null;
  const places: (Place & { live: boolean })[] = [];
  tracker.forEach(panel => {
    panel.content.widgets.forEach((cell, index) => {
      if (cell.model.id === cellId) {
        named = { panel, index };
      }
      if (cell.model.type === 'code') {
        const { outputs } = (cell as CodeCell).model;
        for (let at = 0; at < outputs.length; at += 1) {
          const run = outputs.get(at).data[RUN_MIME] as RunDocument | undefined;
          if (run && documentsOf(run).some(each => each.run_id === runId)) {
            places.push({ panel, index, live: run.live });
          }
        }
      }
    });
  });
  return places.find(place => place.live) ?? places.at(-1) ?? named;
}

/** Bring the cell before the eyes, and the focus to it. */
export async function goTo(app: JupyterFrontEnd, { panel, index }: Place): Promise<void> {
  const notebook = panel.content;
  const cell = notebook.widgets[index];
  app.shell.activateById(panel.id);
  notebook.deselectAll();
  notebook.activeCellIndex = index;
  notebook.mode = 'command';
  await notebook.scrollToItem(index, 'smart');
  const { node } = (cell as CodeCell).outputArea;
  node.scrollIntoView({ block: 'nearest' });
  cell.node.focus({ preventScroll: true });
  node.classList.remove('nbagents-found');
  void node.offsetWidth; // Lets the animation begin anew.
  node.classList.add('nbagents-found');
}
