/** Several runs of a cell that nobody asked to see: one line, and in it a line for each. */
import { documentsOf } from './documents';
import { element } from './draw';
import type { Typeset } from './math';
import { Viewer } from './viewer';
import type { RunDocument } from './wire';

export class Pile {
  readonly node = element('div', 'nba-viewer nba-pile');
  private readonly viewers: Viewer[] = [];

  constructor(
    document: RunDocument,
    private readonly typeset: Typeset
  ) {
    const heading = String(document.heading ?? '');
    const crease = element('button', 'nba-button nba-crease');
    const runs = element('div', 'nba-piled');
    crease.type = 'button';
    crease.setAttribute('aria-label', heading);
    const fold = (isFolded: boolean) => {
      crease.setAttribute('aria-expanded', String(!isFolded));
      runs.hidden = isFolded;
      if (!isFolded && !this.viewers.length) {
        this.fill(runs, document);
      }
    };
    crease.addEventListener('click', () => fold(!runs.hidden));
    fold(true);
    this.node.setAttribute('role', 'group');
    this.node.setAttribute('aria-label', heading);
    this.node.append(
      element('div', 'nba-head', crease, element('div', 'nba-title nba-quiet', heading)),
      runs
    );
  }

  dispose(): void {
    this.viewers.forEach(viewer => viewer.dispose());
  }

  private fill(runs: HTMLElement, document: RunDocument): void {
    for (const each of documentsOf(document)) {
      const viewer = new Viewer(this.typeset);
      viewer.setDocument({ ...each, folded: true });
      this.viewers.push(viewer);
      runs.append(viewer.node);
    }
  }
}
