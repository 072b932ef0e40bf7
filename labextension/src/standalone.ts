/** The viewer in a page of its own: each document in the page takes the place of its static form. */
import '../style/viewer.css';
import katex from 'katex';
import { documentsOf } from './documents';
import { Pile } from './pile';
import type { Typeset } from './math';
import { Viewer } from './viewer';
import type { RunDocument } from './wire';

/** Draw a formula as MathML, which browsers show by themselves: the page loads no font and no style. */
const typeset: Typeset = formula => {
  const written = formula.textContent ?? '';
  const isDisplay = formula.classList.contains('nba-display');
  const tex = written.replace(/^(?:\$\$?|\\[([])([^]*?)(?:\$\$?|\\[)\]])$/, '$1');
  try {
    katex.render(tex, formula, { output: 'mathml', displayMode: isDisplay, maxSize: 20 });
  } catch {
    formula.textContent = written; // What is not valid TeX stays as it was written.
  }
};

const DOCUMENTS = 'script[type="application/vnd.nbagents.run+json"]';

for (const script of document.querySelectorAll(DOCUMENTS)) {
  const fallback = script.nextElementSibling;
  if (fallback instanceof HTMLElement && fallback.matches('[data-nbagents-fallback]')) {
    try {
      const told = JSON.parse(script.textContent ?? '') as RunDocument;
      const shown = documentsOf(told).length > 1 ? new Pile(told, typeset) : new Viewer(typeset);
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
