/** The viewer in a page of its own: each document in the page takes the place of its static form. */
import '../style/viewer.css';
import { documentsOf } from './documents';
import { Pile } from './pile';
import { Viewer } from './viewer';
import type { RunDocument } from './wire';

const DOCUMENTS = 'script[type="application/vnd.nbagents.run+json"]';

for (const script of document.querySelectorAll(DOCUMENTS)) {
  const fallback = script.nextElementSibling;
  if (fallback instanceof HTMLElement && fallback.matches('[data-nbagents-fallback]')) {
    try {
      const told = JSON.parse(script.textContent ?? '') as RunDocument;
      const shown = documentsOf(told).length > 1 ? new Pile(told) : new Viewer();
      if (shown instanceof Viewer) {
        shown.setDocument(told);
      }
      if (shown instanceof Pile || shown.isFilled) {
        fallback.before(shown.node);
        fallback.hidden = true;
      }
    } catch (error) {
      console.warn('A run is shown in its static form.', error);
    }
  }
}
