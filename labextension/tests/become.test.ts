// @vitest-environment jsdom
import { expect, test } from 'vitest';
import { become } from '../src/become';
import { markdown } from '../src/markdown';

function shown(text: string): HTMLElement {
  const made = document.createElement('div');
  made.innerHTML = markdown(text);
  return made;
}

test('what is selected stays selected while a text grows', () => {
  const text =
    'First **words** here.\n\n- one\n- two and $x^2$\n\n```python\nx = 1\n```\n\nthe end';
  const made = shown('First');
  document.body.replaceChildren(made);
  const selection = document.getSelection() as Selection;
  selection.setBaseAndExtent(made.querySelector('p')?.firstChild as Text, 0, made, 1);
  for (let length = 6; length <= text.length; length += 1) {
    become(made, shown(text.slice(0, length)));
    expect(made.innerHTML).toBe(shown(text.slice(0, length)).innerHTML);
    expect(selection.toString()).toMatch(/^First/);
  }
});

test('what was drawn in the place of a formula stays until the formula is another one', () => {
  const made = shown('$x$ and');
  const formula = made.querySelector('.nba-formula') as HTMLElement;
  formula.innerHTML = '<mjx-container></mjx-container>';
  become(made, shown('$x$ and so'));
  expect(made.querySelector('.nba-formula')).toBe(formula);
  expect(formula.innerHTML).toBe('<mjx-container></mjx-container>');
  become(made, shown('$y$ and so'));
  expect(made.innerHTML).toBe(shown('$y$ and so').innerHTML);
});
