// @vitest-environment jsdom
import { expect, test } from 'vitest';
import { markdown } from '../src/markdown';
import { isDrawable } from '../src/math';

function rendered(text: string): HTMLElement {
  const made = document.createElement('div');
  made.innerHTML = markdown(text);
  return made;
}

function formulas(text: string): string[] {
  return [...rendered(text).querySelectorAll<HTMLElement>('.nba-formula')].map(
    each => each.textContent ?? ''
  );
}

test.each([
  ['so \\(a_1 + b_1\\) and $x_i$.', ['\\(a_1 + b_1\\)', '$x_i$']],
  ['\\[ \\frac{a}{b} \\]', ['\\[ \\frac{a}{b} \\]']],
  ['$$\n\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}\n$$', null],
  ['a\n\\[\n- b\n= c\n# d\n\\]\nz', ['\\[\n- b\n= c\n# d\n\\]']],
  ['\\begin{align}\na &= b \\\\\n- c &= d\n\\end{align}', null],
  ['\\begin{align}\n\\begin{cases}\n1\n\\end{cases}\n- c\n\\end{align}', null],
  ['- so\n\n  $$\n  a *b* c\n  $$', ['$$\na *b* c\n$$']],
  ['| $a$ | $b_*c_*$ |\n|---|---|\n| \\(x\\) | 1 |', ['$a$', '$b_*c_*$', '\\(x\\)']],
  ['**$2x$**, ($y$)-$z$, $\\$5 + x$', ['$2x$', '$y$', '$z$', '$\\$5 + x$']]
])('formulas are kept to the letter: %j', (text, expected) => {
  expect(formulas(text)).toEqual(expected ?? [text]);
});

test.each([
  'Price: $5 today, $10 tomorrow.',
  'US$5–US$10, 5$ or 10$, $5k–$10k, ($15/$10 for children)',
  '$HOME:$PATH and $HOME/$USER',
  'from $5/month to over 10$ a year',
  '`$x$` and `\\(x\\)`',
  '\\(open and $open',
  '$$ $$ $ $ \\[\\] \\(\\)',
  '\\begin{unknown} x \\end{unknown} \\begin{align} x'
])('prices and what is not closed are no formulas: %j', text => {
  expect(formulas(text)).toEqual([]);
  expect(rendered(text).textContent?.trim()).toBe(text.replace(/`|\\(?=[[\]])/g, ''));
});

test('a backslash is a backslash', () => {
  const text = 'C:\\new\\table \\alpha \\(open \\frac{a}{b}';
  expect(rendered(text).textContent?.trim()).toBe(text);
});

test.each([
  '\\href{https://evil.example}{bank}',
  '\\class{jp-Dialog}{x}',
  '\\def\\x{\\x}\\x',
  'x\\hspace{-9em}y',
  'a \\\\[-3em] b',
  '\\llap{x} \\kern-2em',
  '\\!\\!\\!\\!x',
  'x'.repeat(6000)
])('a formula that links, defines or covers is code: %.20s', tex => {
  expect(isDrawable(tex)).toBe(false);
  const made = rendered(`$${tex}$ \\(${tex}\\)`);
  expect(made.querySelector('.nba-formula')).toBeNull();
  expect(made.querySelector('code')?.textContent).toContain(tex);
});

test('HTML in a formula is text', () => {
  const made = rendered('\\(<img src=x onerror=alert(1)>\\) $<script>x</script>$ $"><b>$');
  expect(made.querySelector('img, script, b')).toBeNull();
});

test('much that could begin a formula is read in time', () => {
  for (const part of ['\\(', '\\[', '$$\n', '$a ', '\\begin{align}', '\\[ x\n']) {
    const from = performance.now();
    markdown(part.repeat(20_000));
    expect(performance.now() - from, part).toBeLessThan(4000);
  }
});

test('breaks, raised words, strikethrough and bare links are drawn, other HTML is text', () => {
  const made = rendered(
    '| a<br>b | H<sub>2</sub>O <BR/> x<sup>2</sup> |\n|---|---|\n| ~~old~~ | https://example.org/a_b. |'
  );
  expect(made.querySelectorAll('br').length).toBe(2);
  expect(made.querySelector('sub')?.textContent).toBe('2');
  expect(made.querySelector('sup')?.textContent).toBe('2');
  expect(made.querySelector('s')?.textContent).toBe('old');
  expect(made.querySelector('a')?.outerHTML).toContain('href="https://example.org/a_b"');
  expect(
    rendered('<sub>open <br class=x> <sub><b>x</b></sub>').querySelector('*:not(p)')
  ).toBeNull();
});

test('each block has the direction of its first letter', () => {
  const made = rendered('שלום\n\n- مرحبا\n\n| a | b |\n|---|---|\n| ש | c |');
  expect(made.querySelectorAll('p[dir=auto], li[dir=auto], td[dir=auto]').length).toBe(4);
});

test('code is colored by its language', () => {
  const made = rendered('```python\ndef f():\n    return "<b>"\n```');
  expect(made.querySelector('.hljs-keyword')?.textContent).toBe('def');
  expect(made.querySelector('.hljs-string')?.textContent).toBe('"<b>"');
  expect(made.querySelector('b')).toBeNull();
  expect(rendered('```nolang\nx <y>\n```').querySelector('code')?.textContent).toBe('x <y>\n');
});
