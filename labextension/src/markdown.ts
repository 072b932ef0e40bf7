/** Markdown of models and tools, made safe: no HTML, no remote pictures, plain links only. */
import MarkdownIt from 'markdown-it';

const parser = new MarkdownIt({ html: false, linkify: false });
const ALLOWED = /^(https?|mailto):/i;

parser.validateLink = url => ALLOWED.test(url.trim());
parser.renderer.rules.link_open = (tokens, index, options, _env, self) => {
  const token = tokens[index];
  const target = token.attrGet('href') ?? '';
  token.attrSet('title', target);
  token.attrSet('target', '_blank');
  token.attrSet('rel', 'noopener noreferrer');
  return self.renderToken(tokens, index, options);
};
// A picture could tell its server who reads this; its address is shown, and can be followed.
parser.renderer.rules.image = (tokens, index) => {
  const { escapeHtml } = parser.utils;
  const token = tokens[index];
  const target = escapeHtml(token.attrGet('src') ?? '');
  const words = escapeHtml(token.content || target);
  return `<a href="${target}" title="${target}" target="_blank" rel="noopener noreferrer">[picture: ${words}]</a>`;
};

/** Return HTML that can do no harm. */
export function markdown(text: string): string {
  return parser.render(text);
}
