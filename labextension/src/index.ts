/** What is added to JupyterLab and Notebook 7, beside the renderers of `mime.ts`. */
import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, Notification } from '@jupyterlab/apputils';
import { IEditorExtensionRegistry, IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { INotebookTracker } from '@jupyterlab/notebook';
import type { MarkdownParser } from '@lezer/markdown';
import { goTo, type Place, placeOf } from './cells';
import { heal } from './heal';
import { Languages } from './highlight';
import { keyOf, Lines } from './line';
import { notify, Ways } from './notify';
import { Panel } from './panel';

const SHOW = 'nbagents:show';
const ANSWER = 'nbagents:answer';
const OPEN_FORM = 'form.nbagents-form:not(.nb-gone)';

const panel: JupyterFrontEndPlugin<void> = {
  id: '@nbagents/labextension:panel',
  description: 'Shows agents, sessions, runs and questions, and tells of questions that wait.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ICommandPalette, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null
  ) => {
    const lines = new Lines(tracker);
    const placeOfRun = (runId: string): Place | null => {
      const rows = lines.all.flatMap(line => line.state?.runs ?? []);
      const cell = rows.find(row => row.run_id === runId)?.cell ?? undefined;
      return placeOf(tracker, runId, cell);
    };
    const toCell = (runId: string): void => {
      const place = placeOfRun(runId);
      if (place) {
        void goTo(app, place);
      } else {
        Notification.info('No open notebook shows this run.', { autoClose: 4000 });
      }
    };
    const side = new Panel(lines, toCell);
    app.shell.add(side, 'left', { rank: 450, type: 'Agents' });
    restorer?.add(side, side.id);
    const answer: Ways['answer'] = (line, question) => {
      const notebook = tracker.find(one => lines.of(one) === line);
      if (notebook && lines.current !== line) {
        app.shell.activateById(notebook.id);
      }
      app.shell.activateById(side.id);
      side.answer(keyOf(question));
    };
    const quiet = notify(lines, { answer, goTo: toCell });
    const atForm = ({ target }: Event): void => {
      const form = (target as Element | null)?.closest?.(OPEN_FORM);
      if (form) {
        quiet(runId => {
          const place = placeOfRun(runId);
          return place?.panel.content.widgets[place.index].node.contains(form) ?? false;
        });
      }
    };
    document.addEventListener('pointerover', atForm);
    document.addEventListener('focusin', atForm);
    app.commands.addCommand(SHOW, {
      label: 'nbagents: Show agents, runs and questions',
      execute: () => app.shell.activateById(side.id)
    });
    // Forms never take the focus by themselves: this is the way to them from the keyboard.
    app.commands.addCommand(ANSWER, {
      label: 'nbagents: Answer the open question',
      execute: () => {
        const form = tracker.currentWidget?.node.querySelector<HTMLElement>(OPEN_FORM);
        const waiting = lines.all.flatMap(line =>
          (line.state?.questions ?? []).map(question => ({ line, question }))
        );
        const first = waiting.find(({ line }) => line === lines.current) ?? waiting[0];
        if (form) {
          form.scrollIntoView({ block: 'nearest' });
          form.focus({ preventScroll: true });
        } else if (first) {
          answer(first.line, first.question);
        } else {
          Notification.info('No agent waits for an answer.', { autoClose: 4000 });
        }
      }
    });
    app.commands.addKeyBinding({ command: ANSWER, keys: ['Alt Shift A'], selector: 'body' });
    for (const command of [SHOW, ANSWER]) {
      palette?.addItem({ command, category: 'Notebook Operations' });
    }
  }
};

const healing: JupyterFrontEndPlugin<void> = {
  id: '@nbagents/labextension:heal',
  description: 'Keeps the output of a run that goes on while its page is loaded again.',
  autoStart: true,
  requires: [INotebookTracker],
  activate: (_, tracker: INotebookTracker) => {
    tracker.forEach(heal);
    tracker.widgetAdded.connect((_, opened) => heal(opened));
  }
};

const highlighting: JupyterFrontEndPlugin<void> = {
  id: '@nbagents/labextension:highlight',
  description: 'Highlights the bodies of cell magics as Markdown, DOT and swarms.',
  autoStart: true,
  requires: [IEditorExtensionRegistry, IEditorLanguageRegistry],
  activate: async (_, extensions: IEditorExtensionRegistry, known: IEditorLanguageRegistry) => {
    const markdown = await known.getLanguage('ipythongfm');
    const parser = markdown?.support?.language.parser as MarkdownParser | undefined;
    if (parser) {
      extensions.addExtension(new Languages(parser).factory);
    }
  }
};

export default [panel, healing, highlighting];
