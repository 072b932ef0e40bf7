// @vitest-environment jsdom
import { expect, test } from 'vitest';
import { draw } from '../src/draw';
import { markdown } from '../src/markdown';
import { Picture, safe } from '../src/picture';
import { type Row, rowsOf } from '../src/rows';
import { folded, picture, sample, Story } from './made';

const EVERYTHING = { opened: new Map(), show: 'all' as const, search: '' };
const svg = (inside: string, more = '') =>
  safe(`<svg xmlns="http://www.w3.org/2000/svg" ${more}>${inside}</svg>`)?.outerHTML ?? '';

function rendered(text: string): HTMLElement {
  const made = document.createElement('div');
  made.innerHTML = markdown(text);
  return made;
}

test.each([
  '<script>alert(1)</script>',
  'a <img src=x onerror=alert(1)> b',
  '<iframe src="https://example.org"></iframe>',
  '`` <b>` `` <b onclick="alert(1)">b</b>',
  '<style>* {display: none}</style>',
  '```"><script>alert(1)</script>\n<script>alert(1)</script>\n```'
])('HTML in Markdown is text: %s', text => {
  const made = rendered(text);
  expect(made.querySelector('script, img, iframe, b, style, [onclick], [onerror]')).toBeNull();
  expect(made.textContent).toContain('<');
});

test.each([
  '[x](javascript:alert(1))',
  '[x](JaVaScRiPt:alert(1))',
  '[x](data:text/html,<script>alert(1)</script>)',
  '[x](vbscript:x)',
  '[x](file:///etc/passwd)',
  '[x](mailto:ada@example.org)',
  '<mailto:ada@example.org>',
  '<ada@example.org>',
  '[x](ftp://example.org)',
  'ftp://example.org ada@example.org',
  '[x](/api/kernels)',
  '[x](&#106;avascript:alert(1))',
  '[x](java&#10;script:alert(1))',
  '<javascript:alert(1)>',
  '[x][1]\n\n[1]: javascript:alert(1)'
])('what is no plain address is no link: %s', text => {
  expect(rendered(text).querySelector('a')).toBeNull();
});

test('a link tells where it leads, whatever its title says, and opens in a page of its own', () => {
  const link = rendered('[my bank](https://example.org/a?b "my bank")').querySelector('a');
  expect(link?.title).toBe('https://example.org/a?b');
  expect([link?.target, link?.rel]).toEqual(['_blank', 'noopener noreferrer']);
  expect(rendered('[my bank](https://example.org/)').textContent).toContain(
    'my bank (https://example.org/)'
  );
  expect(rendered('<https://example.org/>').textContent?.trim()).toBe('https://example.org/');
});

test('a picture in Markdown is a link, and is not loaded', () => {
  const made = rendered('![a "cat"](https://example.org/"x"?q=secret "t")');
  expect(made.querySelector('img')).toBeNull();
  expect(made.textContent).toContain('[picture:');
  const named = rendered('![a <b>](https://example.org/c.png)');
  expect(named.querySelector('a')?.textContent).toBe('[picture: a <b>]');
  expect(named.querySelector('a')?.href).toBe('https://example.org/c.png');
  expect(rendered('![x](javascript:alert(1))').querySelector('a, img')).toBeNull();
  expect(rendered('![x](data:image/png;base64,aa)').querySelector('a, img')).toBeNull();
});

test.each([
  ['<script>alert(1)</script>', 'script'],
  ['<foreignObject><b xmlns="http://www.w3.org/1999/xhtml">b</b></foreignObject>', 'foreign'],
  ['<rect onclick="alert(1)" onload="alert(1)"/>', 'onclick|onload|alert'],
  ['<rect style="fill: url(https://example.org)"/>', 'style|example'],
  ['<rect fill="url(https://example.org/a)"/>', 'example|url'],
  ['<rect fill="u\\72l(https://example.org/a)"/>', 'example'],
  ['<use href="https://example.org/a.svg#x"/>', 'example|href'],
  ['<use href="javascript:alert(1)"/>', 'javascript'],
  ['<a href="javascript:alert(1)"><text>x</text></a>', '<a|javascript'],
  ['<rect href="#x"/>', 'href'],
  ['<use xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="https://example.org"/>', 'example'],
  ['<image href="https://example.org/a.png"/>', 'image|example'],
  ['<animate attributeName="href" to="javascript:alert(1)"/>', 'animate|javascript'],
  ['<rect><set attributeName="onclick" to="alert(1)"/></rect>', '<set|alert'],
  ['<style>@import url(https://example.org)</style>', 'style|example'],
  ['<h:b xmlns:h="http://www.w3.org/1999/xhtml">b</h:b>', '<b|:b'],
  ['<svg><script>alert(1)</script><rect onclick="alert(1)"/></svg>', 'script|onclick'],
  ['<filter id="f"/><mask id="m"/><pattern id="p"/>', 'filter|mask|pattern']
])('of a picture nothing stays that acts or loads: %s', (inside, bad) => {
  expect(svg(inside)).toMatch(/^<svg/);
  expect(svg(inside)).not.toMatch(new RegExp(bad));
});

test('what is no picture is not shown', () => {
  expect(safe('<html xmlns="http://www.w3.org/1999/xhtml"/>')).toBeUndefined();
  expect(safe('no picture')).toBeUndefined();
  expect(svg('<text>x</text>', 'onload="alert(1)"')).toBe('<svg><text>x</text></svg>');
});

test('a picture cannot look like a part of the page around it', () => {
  expect(svg('<g class="jp-Dialog lm-Widget"><rect/></g>')).not.toContain('class');
  const first = svg('<g id="documentElement"/><use href="#documentElement"/>');
  expect(first).not.toContain('"documentElement"');
});

test('our own picture stays whole', () => {
  const source = sample('graph').picture ?? '';
  const parsed = new DOMParser().parseFromString(source, 'image/svg+xml').documentElement;
  const names = (node: Element) => [...node.querySelectorAll('*')].map(each => each.localName);
  const shown = safe(source) as Element;
  expect(names(shown)).toEqual(names(parsed));
  const used = shown.querySelector('use')?.getAttribute('href') ?? '';
  expect(shown.querySelector(used)?.localName).toBe('g');
});

test('parts that are used again and again cannot use others, which would never end', () => {
  const bomb =
    '<g id="a"><use href="#b"/></g><g id="b"><g><use href="#a"/></g></g><use href="#a"/>';
  expect(svg(bomb).match(/<use/g)).toHaveLength(1);
});

test('a node of the picture is a button that is named, and is pressed by key and click', () => {
  const gone: string[] = [];
  const { events, picture: source } = sample('graph');
  const map = new Picture(path => gone.push(path));
  map.set(source ?? '');
  map.paint(folded(events), 0);
  const node = map.node.querySelector<SVGElement>('g[data-node="flow/draft"]');
  expect(node?.getAttribute('aria-label')).toMatch(/^draft: ✓/);
  expect([node?.getAttribute('role'), node?.getAttribute('tabindex')]).toEqual(['button', '0']);
  node?.querySelector('rect')?.dispatchEvent(new MouseEvent('click', { bubbles: true }));
  node?.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
  expect(gone).toEqual(['flow/draft', 'flow/draft']);
});

test('nothing that models or tools say becomes markup', () => {
  const bad = '<img src=x onerror=alert(1)>';
  const story = new Story().start('r', { name: bad, note: bad, model: bad });
  story.message([
    { type: 'text', text: bad },
    { type: 'thinking', text: bad },
    { type: 'file', media_type: 'text/html', name: bad, data: 'aGk' },
    { type: 'file', media_type: 'image/svg+xml', name: bad, data: 'aGk' },
    { type: 'file', media_type: 'image/png', name: bad, url: 'https://example.org/a.png' },
    { type: 'tool_call', call_id: 'a', name: bad, args: JSON.stringify({ [bad]: bad }) }
  ]);
  story.add('tool_progress', { call_id: 'a', data: bad });
  story.add('handed_off', { source: bad, target: bad, reason: bad });
  story.answers('a', { is_error: true, content: [{ type: 'text', text: bad }] }, bad);
  const asked = { question_id: 'q', asker: bad, prompt: bad, reason: bad, details: { bad } };
  story.add('input_requested', asked).hears('q', bad);
  story.add('run_failed', { error: bad, message: bad, usage: story.root.usage });
  const rows = rowsOf(story.root, EVERYTHING);
  const opened = new Map(rows.map(({ key }) => [key, true]));
  const made = document.createElement('div');
  made.append(...rowsOf(story.root, { ...EVERYTHING, opened }).map(row => draw(row, 0)));
  expect(made.querySelector('img, script, [onerror]')).toBeNull();
  expect(made.textContent?.split(bad).length).toBeGreaterThan(12);
});

test('raster images are shown from their own bytes', () => {
  const row: Row = { key: 'k', depth: 0, indent: 0, body: { kind: 'file', part: picture } };
  expect((draw(row, 0) as HTMLImageElement).src).toBe('data:image/png;base64,aGk+/w');
});
