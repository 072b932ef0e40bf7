/** The renderers of JupyterLab: of a run's document, in outputs and in files, and of its picture. */
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Widget } from '@lumino/widgets';

import { block, element } from './draw';
import { type Listener, refresh, subscribe } from './hub';
import { documentsOf } from './documents';
import type { Typeset } from './math';
import { Pile } from './pile';
import { Viewer } from './viewer';
import type { RunDocument } from './wire';

export const RUN_MIME = 'application/vnd.nbagents.run+json';
export const PICTURE_MIME = 'application/vnd.nbagents.picture+json';

class RunRenderer extends Widget implements IRenderMime.IRenderer, Listener {
  private readonly typeset: Typeset;
  private readonly viewer: Viewer;
  private pile: Pile | undefined;
  /** What is shown of a run under way while no kernel tells of it. */
  private readonly still = element('div', 'jp-RenderedHTMLCommon');
  private runId = '';
  private leave: (() => void) | undefined;

  constructor(private readonly options: IRenderMime.IRendererOptions) {
    super();
    this.typeset = formula => options.latexTypesetter?.typeset(formula);
    this.viewer = new Viewer(this.typeset);
    this.addClass('nba-output');
    this.node.append(this.still, this.viewer.node);
    this.viewer.node.hidden = true;
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const source = model.data[this.options.mimeType] as unknown;
    const told = typeof source === 'string' ? parsed(source) : source;
    if (typeof told !== 'object' || told === null || !('run_id' in told)) {
      const words = 'This is not a run document that nbagents can read.';
      const text = typeof source === 'string' ? [block(source, '')] : [];
      this.still.replaceChildren(element('p', '', words), ...text);
      this.swap(false);
      return;
    }
    const document = told as RunDocument;
    if (document.live && !document.events?.length) {
      this.follow(document, model);
      return;
    }
    this.leave?.();
    this.leave = undefined;
    this.document(document);
  }

  document(document: RunDocument): void {
    this.pile?.node.remove();
    this.pile?.dispose();
    this.pile = documentsOf(document).length > 1 ? new Pile(document, this.typeset) : undefined;
    if (this.pile) {
      this.node.append(this.pile.node);
      this.viewer.node.hidden = this.still.hidden = true;
      return;
    }
    this.viewer.setDocument(document);
    this.swap();
  }

  events(events: Parameters<Viewer['append']>[0]): void {
    if (this.viewer.isFilled) {
      this.viewer.append(events);
      this.swap();
    }
  }

  override dispose(): void {
    this.leave?.();
    this.viewer.dispose();
    this.pile?.dispose();
    super.dispose();
  }

  /** Hear of a run under way; until then its last frame is shown, as it is without us. */
  private follow(document: RunDocument, model: IRenderMime.IMimeModel): void {
    if (this.runId !== document.run_id) {
      this.leave?.();
      this.runId = document.run_id;
      this.leave = subscribe(document.run_id, this);
    }
    const html = model.data['text/html'];
    if (!this.viewer.isFilled && this.options.sanitizer) {
      const text = Array.isArray(html) ? html.join('') : String(html ?? '');
      this.still.innerHTML = this.options.sanitizer.sanitize(text);
    }
    this.swap();
  }

  private swap(shown = this.viewer.isFilled || !this.still.hasChildNodes()): void {
    this.viewer.node.hidden = !shown;
    this.still.hidden = shown;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The viewer shows the picture of its run; here it would stand twice. */
class PictureRenderer extends Widget implements IRenderMime.IRenderer {
  private runId = '';

  constructor(private readonly mimeType: string) {
    super();
    this.addClass('nba-shown-elsewhere');
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const { run_id: runId = '' } = (model.data[this.mimeType] ?? {}) as { run_id?: string };
    if (this.runId !== runId) {
      // It is laid out beside the run: a document that came before is without it.
      this.runId = runId;
      refresh(runId);
    }
  }
}

const run: IRenderMime.IExtension = {
  id: '@nbagents/labextension:run',
  rendererFactory: {
    safe: true,
    mimeTypes: [RUN_MIME],
    defaultRank: 10,
    createRenderer: options => new RunRenderer(options)
  },
  rank: 10,
  // As JSON, a file that is none would be JupyterLab's to complain about, in a dialog.
  dataType: 'string',
  fileTypes: [
    {
      name: 'nbagents-run',
      displayName: 'Agent run',
      mimeTypes: [RUN_MIME],
      extensions: ['.nbagents.json']
    }
  ],
  documentWidgetFactoryOptions: {
    name: 'Agent run',
    primaryFileType: 'nbagents-run',
    fileTypes: ['nbagents-run'],
    defaultFor: ['nbagents-run']
  }
};

const picture: IRenderMime.IExtension = {
  id: '@nbagents/labextension:picture',
  rendererFactory: {
    safe: true,
    mimeTypes: [PICTURE_MIME],
    defaultRank: 10,
    createRenderer: options => new PictureRenderer(options.mimeType)
  },
  rank: 10,
  dataType: 'json'
};

export default [run, picture];
