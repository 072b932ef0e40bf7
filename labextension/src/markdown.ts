/** Markdown of models and tools, made safe: no HTML, no remote pictures, links that show their target. */
import MarkdownIt from 'markdown-it';

const parser = new MarkdownIt({ html: false, linkify: false });
const { escapeHtml } = parser.utils;
const ALLOWED = /^https?:/i;

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
