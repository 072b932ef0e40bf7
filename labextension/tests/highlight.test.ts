// @vitest-environment jsdom
import { ensureSyntaxTree, syntaxTree } from '@codemirror/language';
import { EditorState } from '@codemirror/state';
import { GFM, parser } from '@lezer/markdown';
import { expect, test } from 'vitest';
import { Languages, partsOf } from '../src/highlight';

const languages = new Languages(parser.configure(GFM));

/** The leaves of the syntax tree of a cell, as kinds and texts. */
function leaves(state: EditorState): [string, string][] {
  const found: [string, string][] = [];
  (ensureSyntaxTree(state, state.doc.length) ?? syntaxTree(state)).iterate({
    enter: node => {
      if (!node.node.firstChild && node.from < node.to) {
        found.push([node.name, state.sliceDoc(node.from, node.to)]);
      }
    }
  });
  return found;
}

function cell(doc: string): EditorState {
  return EditorState.create({ doc, extensions: languages.follow(doc) });
}

test.each([
  ['%%agent a', '%%ask a', true],
  ['%%agent a', '%%agent b -m x', true],
  ['%%agent a', '%%graph a', false],
  ['%%swarm a', '%%graph a', false],
  ['%%agents', 'print(1)', true],
  ['%ask a', ' %%ask', true],
  ['%%ask', '%%time', false]
])('%s and %s are of one language: %s', (one, other, same) => {
  expect(languages.pick(one) === languages.pick(other)).toBe(same);
});

test('the line of a magic shows the variable and the options, not what looks like one', () => {
  const line = '%%ask writer -m a:b-c --out list[str] -- x-ray';
  expect(partsOf(line).map(([name, from, to]) => [name, line.slice(from, to)])).toEqual([
    ['MagicName', '%%ask'],
    ['MagicTarget', 'writer'],
    ['MagicFlag', '-m'],
    ['MagicFlag', '--out']
  ]);
  expect(partsOf('%%agent')).toEqual([['MagicName', 0, 7]]);
  expect(partsOf('%%agent --human x')[1]).toEqual(['MagicFlag', 8, 15]);
});

test('instructions are Markdown from the second line on', () => {
  const found = leaves(cell("%%agent a\nDon't **do** `it`\n---\n```python\n1\n```"));
  expect(found.map(([name]) => name)).toEqual([
    'MagicName',
    'MagicTarget',
    'EmphasisMark',
    'EmphasisMark',
    'CodeMark',
    'CodeMark',
    'HeaderMark',
    'CodeMark',
    'CodeInfo',
    'CodeText',
    'CodeMark'
  ]);
});

test('DOT is read with and without its frame, over comments, quotes and attributes', () => {
  const body =
    'digraph {\n// a\n/* b\nc */ rankdir=LR\n"a b" -> c [agent=w, retries=2]; node [join="any"]}';
  expect(leaves(cell(`%%graph g\n${body}`)).slice(2)).toEqual([
    ['keyword', 'digraph'],
    ['bracket', '{'],
    ['comment', '// a'],
    ['comment', '/* b'],
    ['comment', 'c */'],
    ['propertyName', 'rankdir'],
    ['operator', '='],
    ['target', 'LR'],
    ['target', '"a b"'],
    ['operator', '->'],
    ['target', 'c'],
    ['bracket', '['],
    ['propertyName', 'agent'],
    ['operator', '='],
    ['string', 'w'],
    ['punctuation', ','],
    ['propertyName', 'retries'],
    ['operator', '='],
    ['number', '2'],
    ['bracket', ']'],
    ['punctuation', ';'],
    ['keyword', 'node'],
    ['bracket', '['],
    ['propertyName', 'join'],
    ['operator', '='],
    ['string', '"any"'],
    ['bracket', ']}']
  ]);
});

test('the members of a swarm are names, what they are for is text', () => {
  const found = leaves(cell("%%swarm s\n  writer: it's: a-draft -> critic, human # x\ncritic"));
  expect(found.slice(2)).toEqual([
    ['target', 'writer'],
    ['punctuation', ':'],
    ['punctuation', ':'],
    ['operator', '->'],
    ['target', 'critic'],
    ['punctuation', ','],
    ['target', 'human'],
    ['comment', '# x'],
    ['target', 'critic']
  ]);
});

test('the language is another one as soon as the first line is, and only then', () => {
  let state = cell('\n**b**');
  expect(leaves(state)).toEqual([]);
  state = state.update({ changes: { from: 0, insert: '%%agent a' } }).state;
  expect(leaves(state).map(([name]) => name)).toContain('EmphasisMark');
  state = state.update({ changes: { from: 2, to: 7, insert: 'graph' } }).state;
  expect(leaves(state)[0]).toEqual(['meta', '%%graph']);
  state = state.update({ changes: { from: 0, to: 2 } }).state;
  expect(leaves(state)).toEqual([]);
});
