/** Marks on what was found. They are painted over the page, whose elements stay as they are. */
const NAME = 'nba-found';
const MOST = 1000;

export class Marks {
  private ranges: Range[] = [];

  /** Mark each place below an element that holds these words; `words` are in lower case. */
  show(inside: Element, words: string): void {
    if (!('Highlight' in globalThis)) {
      return; // An old browser finds without marks.
    }
    const all = CSS.highlights.get(NAME) ?? new Highlight();
    CSS.highlights.set(NAME, all);
    this.ranges.forEach(range => all.delete(range));
    this.ranges = words ? rangesOf(inside, words) : [];
    this.ranges.forEach(range => all.add(range));
  }
}

function rangesOf(inside: Element, words: string): Range[] {
  const ranges: Range[] = [];
  const texts = document.createTreeWalker(inside, NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode() as Text | null; node; node = texts.nextNode() as Text | null) {
    const text = node.data.toLowerCase();
    let at = text.indexOf(words);
    while (at >= 0 && ranges.length < MOST) {
      const range = document.createRange();
      range.setStart(node, Math.min(at, node.length));
      range.setEnd(node, Math.min(at + words.length, node.length));
      ranges.push(range);
      at = text.indexOf(words, at + words.length);
    }
  }
  return ranges;
}
