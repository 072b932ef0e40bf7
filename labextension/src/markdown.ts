/** Markdown of models and tools, made safe: no HTML, no remote pictures, links that show their target. */
import MarkdownIt from 'markdown-it';
import { colored } from './code';
import { withFormulas } from './math';

const parser = new MarkdownIt({ html: false, linkify: true, highlight: colored });
const { escapeHtml } = parser.utils;
const ALLOWED = /^https?:/i;
/** The only HTML that is read: what Markdown has no sign for, and cannot carry anything. */
const BREAK = /<br ?\/?>/iy;
const RAISED = /<(su[bp])>([^<>\n]{1,200})<\/\1>/iy;
/** Blocks whose direction is that of their first letter. */
const BLOCKS = /^(?:paragraph|heading|list_item|blockquote|t[hd])_open$/;

parser.linkify.set({ fuzzyLink: false, fuzzyEmail: false });
for (const scheme of ['ftp:', '//', 'mailto:']) {
  parser.linkify.add(scheme, null);
}
withFormulas(parser);

parser.inline.ruler.before('html_inline', 'tags', (state, isSilent) => {
  BREAK.lastIndex = RAISED.lastIndex = state.pos;
  const raised = RAISED.exec(state.src);
  const found = raised ?? BREAK.exec(state.src);
  if (!found) {
    return false;
  }
  if (!isSilent && raised) {
    const tag = raised[1].toLowerCase();
    state.push('tag_open', tag, 1);
    state.push('text', '', 0).content = raised[2];
    state.push('tag_close', tag, -1);
  } else if (!isSilent) {
    state.push('hardbreak', 'br', 0);
  }
  state.pos += found[0].length;
  return true;
});
parser.core.ruler.push('direction', state => {
  for (const token of state.tokens) {
    if (BLOCKS.test(token.type)) {
      token.attrSet('dir', 'auto');
    }
  }
});
parser.validateLink = url => ALLOWED.test(url.trim());
parser.renderer.rules.link_open = (tokens, index, options, _env, self) => {
  const token = tokens[index];
  token.attrSet('title', token.attrGet('href') ?? '');
  token.attrSet('target', '_blank');
  token.attrSet('rel', 'noopener noreferrer');
  return self.renderToken(tokens, index, options);
};
parser.renderer.rules.link_close = (tokens, index) => {
  const start = tokens.slice(0, index).findLastIndex(token => token.type === 'link_open');
  const target = tokens[start].attrGet('href') ?? '';
  const words = tokens.slice(start, index).map(token => token.content);
  return `</a>${targetBehind(target, words.join(''))}`;
};
// A picture could tell its server who reads this; its address is shown, and can be followed.
parser.renderer.rules.image = (tokens, index) => {
  const token = tokens[index];
  const target = token.attrGet('src') ?? '';
  const link = `href="${escapeHtml(target)}" target="_blank" rel="noopener noreferrer"`;
  const words = token.content || target;
  return `<a ${link}>[picture: ${escapeHtml(words)}]</a>${targetBehind(target, words)}`;
};

/** Write where a link leads, unless its words say so. */
function targetBehind(target: string, words: string): string {
  const isSaid = [target, target.replace(/\/$/, '')].includes(words.trim());
  return isSaid ? '' : ` <span class="nba-quiet">(${escapeHtml(target)})</span>`;
}

/** Return HTML that can do no harm. */
export function markdown(text: string): string {
  return parser.render(text);
}
