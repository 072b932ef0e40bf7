/** Elements that become others in their place, so that a selection, the focus and what scrolls stay. */

/** Let `shown` have what `wanted` has inside; only what differs is touched. */
export function become(shown: Element, wanted: ParentNode): void {
  let at = shown.firstChild;
  for (const next of [...wanted.childNodes]) {
    const after: ChildNode | null = at?.nextSibling ?? null;
    if (!at) {
      shown.append(next);
    } else if (!isAlready(at, next)) {
      at.replaceWith(next);
    }
    at = after;
  }
  while (at) {
    const after: ChildNode | null = at.nextSibling;
    at.remove();
    at = after;
  }
}

/** Make a node what another is, if it is of the same kind; false if it is not. */
function isAlready(shown: ChildNode, wanted: ChildNode): boolean {
  if (shown instanceof Text && wanted instanceof Text) {
    const [has, gets] = [shown.data, wanted.data];
    if (gets.startsWith(has)) {
      shown.appendData(gets.slice(has.length));
    } else {
      shown.data = gets;
    }
    return true;
  }
  if (!(shown instanceof HTMLElement && wanted instanceof HTMLElement)) {
    return false;
  }
  if (shown.localName !== wanted.localName) {
    return false;
  }
  const { formula } = wanted.dataset;
  if (formula !== undefined || shown.dataset.formula !== undefined) {
    return shown.dataset.formula === formula; // What draws it has put its own in it.
  }
  for (const { name } of [...shown.attributes]) {
    if (!wanted.hasAttribute(name)) {
      shown.removeAttribute(name);
    }
  }
  for (const { name, value } of wanted.attributes) {
    if (shown.getAttribute(name) !== value) {
      shown.setAttribute(name, value);
    }
  }
  become(shown, wanted);
  return true;
}
