/** Formulas in Markdown: found as `nbagents/notebook/formulas.py` finds them, and kept to the letter. */
import type MarkdownIt from 'markdown-it';
import type { RuleBlock } from 'markdown-it/lib/parser_block.mjs';

/** Draws the formula that is written in an element. */
export type Typeset = (formula: HTMLElement) => void;

interface Formula {
  end: number;
  isDisplay: boolean;
}

const PAIRS = { '\\(': '\\)', '\\[': '\\]', $$: '$$' };
const ENVIRONMENTS = new Set(
  (
    'align aligned array bmatrix Bmatrix cases eqnarray equation gather gathered matrix multline ' +
    'pmatrix smallmatrix split vmatrix Vmatrix'
  ).split(' ')
);
const BEGIN = /\\begin\{([a-zA-Z]+)(\*?)\}/y;
const LONGEST = 5000;
// What links, loads, defines, or draws over its neighbors. All else stays within its own box.
const UNSAFE = new RegExp(
  '\\\\(?:href|url|class|cssId|style|data|html\\w*|includegraphics|require|unicode|mmlToken|bbox|' +
    'def|gdef|edef|xdef|let|futurelet|(?:re|provide)?newcommand|providecommand|newenvironment|renewenvironment|' +
    'DeclareMathOperator|char|catcode|tag|label|ref|eqref|' +
    '[mh]?kern|[mhv]skip|[mhv]space|math[lrc]lap|[lrc]lap|smash|raise\\w*|lower|move\\w+|' +
    'rule|Rule|Space|above\\w*|genfrac|hfil\\w*|vphantom|neg\\w*space)(?![a-zA-Z])' +
    '|-\\s*[\\d.]+\\s*(?:em|ex|pt|mu|px|in|cm|mm|pc)\\b|(?:\\\\!\\s*){3}',
  'i'
);

/** Tell whether a formula may be drawn: what others write could hide links, or cover other text. */
export function isDrawable(formula: string): boolean {
  return formula.length <= LONGEST && !UNSAFE.test(formula);
}

/** Find the formula that begins here. `missing` remembers what closes nothing in this text. */
function formulaAt(text: string, at: number, missing: Set<string>): Formula | undefined {
  const two = text.slice(at, at + 2) as keyof typeof PAIRS;
  const close = PAIRS[two];
  if (close) {
    const end = find(text, close, at + 2, missing);
    const inside = end < 0 ? '' : text.slice(at + 2, end);
    return inside.trim() ? { end: end + 2, isDisplay: two !== '\\(' } : undefined;
  }
  if (text[at] === '$') {
    return priced(text, at);
  }
  BEGIN.lastIndex = at;
  const begin = BEGIN.exec(text);
  if (!begin || !ENVIRONMENTS.has(begin[1])) {
    return undefined;
  }
  const last = endOf(begin);
  const end = find(text, last, BEGIN.lastIndex, missing);
  return end < 0 ? undefined : { end: end + last.length, isDisplay: true };
}

function endOf([, name, star]: RegExpExecArray): string {
  return `\\end{${name}${star}}`;
}

function find(text: string, wanted: string, from: number, missing: Set<string>): number {
  if (missing.has(wanted)) {
    return -1;
  }
  const end = text.indexOf(wanted, from);
  if (end < 0) {
    missing.add(wanted);
  }
  return end;
}

/** Read `$x$`: no space inside of the dollars, and no letter or digit outside, as prices have. */
function priced(text: string, at: number): Formula | undefined {
  if (/[\w$\\]/.test(text[at - 1] ?? ' ') || /[\s$]/.test(text[at + 1] ?? ' ')) {
    return undefined;
  }
  let end = at + 1;
  while (end < text.length && text[end] !== '$') {
    end += text[end] === '\\' ? 2 : 1;
  }
  const isClosed = text[end] === '$' && !/\s/.test(text[end - 1]);
  if (!isClosed || /[\w$]/.test(text[end + 1] ?? ' ')) {
    return undefined;
  }
  const inside = text.slice(at + 1, end);
  // "$5/month, or for 10$": words after an amount are not a formula.
  const isPrice = /^[\d.,]+(?![\d.,])(?=.*[\p{L}]{3})(?!.*[\\^_=])/su.test(inside);
  return isPrice || inside.includes('\n\n') ? undefined : { end: end + 1, isDisplay: false };
}

/** A formula that has lines of its own: nothing at the start of one is Markdown. */
const block: RuleBlock = (state, line, last, isSilent) => {
  const from = state.bMarks[line] + state.tShift[line];
  const mark = state.src.slice(from, from + 2);
  BEGIN.lastIndex = from;
  const begin = BEGIN.exec(state.src);
  const isMark = mark === '$$' || mark === '\\[' || begin;
  if (!isMark || state.sCount[line] - state.blkIndent >= 4) {
    return false;
  }
  const close = begin ? endOf(begin) : PAIRS[mark as keyof typeof PAIRS];
  const at = state.src.slice(from + 2, from + LONGEST).indexOf(close);
  let end = line;
  while (end < last && !state.isEmpty(end) && state.eMarks[end] < from + 2 + at) {
    end += 1;
  }
  if (at < 0 || end === last || state.isEmpty(end)) {
    return false;
  }
  const text = state.getLines(line, end + 1, state.blkIndent, false).trimStart();
  const found = formulaAt(text, 0, new Set());
  const rest = found ? text.slice(found.end).split('\n', 1)[0] : 'none';
  if (!found || !/^\s*[.,;:]?\s*$/.test(rest)) {
    return false;
  }
  if (!isSilent) {
    const token = state.push('formula', 'span', 0);
    token.content = text.slice(0, found.end);
    token.block = true;
    const after = rest.trim();
    if (after) {
      state.push('text', '', 0).content = after;
    }
  }
  state.line = line + text.slice(0, found.end).split('\n').length;
  return true;
};

/** Let a parser know formulas; what may not be drawn is code. */
export function withFormulas(parser: MarkdownIt): void {
  const missing = new WeakMap<object, Set<string>>();
  parser.inline.ruler.before('escape', 'formula', (state, isSilent) => {
    const char = state.src[state.pos];
    if (char !== '$' && char !== '\\') {
      return false;
    }
    const known = missing.get(state) ?? new Set();
    missing.set(state, known);
    const found = formulaAt(state.src, state.pos, known);
    if (!found || found.end > state.posMax) {
      // A backslash before a parenthesis, or before what closes nothing, is one.
      const isLone = /^\\[()]/.test(state.src.slice(state.pos, state.pos + 2));
      if (isLone && !isSilent) {
        state.pending += state.src.slice(state.pos, state.pos + 2);
      }
      state.pos += isLone ? 2 : 0;
      return isLone;
    }
    if (!isSilent) {
      const token = state.push('formula', 'span', 0);
      token.content = state.src.slice(state.pos, found.end);
      token.hidden = !found.isDisplay;
    }
    state.pos = found.end;
    return true;
  });
  const ends = ['paragraph', 'reference', 'blockquote', 'list'];
  parser.block.ruler.before('code', 'formula', block, { alt: ends });
  parser.renderer.rules.formula = (tokens, index) => {
    const { content, hidden } = tokens[index];
    const written = parser.utils.escapeHtml(content);
    if (!isDrawable(content)) {
      return `<code>${written}</code>`;
    }
    const block = hidden ? '' : ' nba-display';
    return `<span class="nba-formula${block}" data-formula="${written}">${written}</span>`;
  };
}
