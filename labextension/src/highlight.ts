/** The bodies of our cell magics in a language of their own: Markdown, DOT, or the lines of a swarm. */
import { defineLanguageFacet, Language, StreamLanguage, StringStream } from '@codemirror/language';
import { Compartment, EditorState, Extension, Prec } from '@codemirror/state';
import { Decoration, EditorView, MatchDecorator, ViewPlugin } from '@codemirror/view';
import type { IEditorExtensionFactory } from '@jupyterlab/codemirror';
import { tags } from '@lezer/highlight';
import type { Element, MarkdownConfig, MarkdownParser } from '@lezer/markdown';

const MAGIC = /^%%(agent|ask|graph|swarm)\b/;
const FLAG = /(?<=\s)--?[a-z][\w-]*/g;
const NONE: Extension = [];
/** The variable that a magic makes, and the names in a team. */
const TARGET = tags.definition(tags.name);

/** The extensions by which a cell that begins with one of our magics is highlighted. */
export class Languages {
  private _byMagic: Record<string, Extension>;

  /** `markdown` is the notebook's own parser, so that nothing of it has to be brought along. */
  constructor(markdown: MarkdownParser) {
    const facet = defineLanguageFacet({
      commentTokens: { block: { open: '<!--', close: '-->' } }
    });
    const parser = markdown.configure(magicLine);
    const language = Prec.highest(new Language(facet, parser, [], 'nbagents-prose'));
    const prose = [language, EditorView.lineWrapping];
    this._byMagic = { agent: prose, ask: prose, graph, swarm };
  }

  /** Choose by the first line of a cell; the same line always has the same extension. */
  pick(firstLine: string): Extension {
    return this._byMagic[MAGIC.exec(firstLine)?.[1] ?? ''] ?? NONE;
  }

  /** Make what switches an editor's language while its first line is typed. */
  follow(source: string): Extension {
    const slot = new Compartment();
    const follow = EditorState.transactionExtender.of(transaction => {
      if (!transaction.docChanged) {
        return null;
      }
      const next = this.pick(transaction.newDoc.line(1).text);
      const same = next === slot.get(transaction.startState);
      return same ? null : { effects: slot.reconfigure(next) };
    });
    return [slot.of(this.pick(source.split('\n', 1)[0])), follow, prompts];
  }

  /** What every editor is given. A Markdown cell keeps its own language. */
  get factory(): IEditorExtensionFactory<void> {
    return {
      name: '@nbagents/labextension:highlight',
      factory: ({ model }) =>
        model.mimeType === 'text/x-ipythongfm'
          ? null
          : {
              instance: () => this.follow(model.sharedModel.getSource()),
              reconfigure: () => null
            }
    };
  }
}

/** A line that asks is words: whatever of it looks like Python is not colored. */
const asks = new MatchDecorator({
  regexp: /(?<=^\s*(?:[\w, ]+=\s*)?%ask\s).+/gm,
  decoration: Decoration.mark({ class: 'nbagents-asked' }),
  boundary: /$/
});
const prompts = Prec.highest(
  ViewPlugin.define(
    view => ({
      asked: asks.createDeco(view),
      update(change) {
        this.asked = asks.updateDeco(change, this.asked);
      }
    }),
    { decorations: plugin => plugin.asked }
  )
);

/** Markdown's first block: the line of the magic, with its name, the variable, and the options. */
const magicLine: MarkdownConfig = {
  defineNodes: [
    { name: 'CellMagic', block: true },
    { name: 'MagicName', style: tags.meta },
    { name: 'MagicTarget', style: TARGET },
    { name: 'MagicFlag', style: tags.attributeName }
  ],
  parseBlock: [
    {
      name: 'CellMagic',
      before: 'LinkReference',
      parse(context, line) {
        if (context.lineStart !== 0 || !MAGIC.test(line.text)) {
          return false;
        }
        const parts: Element[] = partsOf(line.text).map(part => context.elt(...part));
        context.addElement(context.elt('CellMagic', 0, line.text.length, parts));
        context.nextLine();
        return true;
      }
    }
  ]
};

/** Find what is to be seen in the line of a magic. */
export function partsOf(line: string): [name: string, from: number, to: number][] {
  const [magic] = MAGIC.exec(line) ?? [''];
  const parts: [string, number, number][] = [['MagicName', 0, magic.length]];
  const target = /^\s+(?!-)\S+/.exec(line.slice(magic.length));
  let rest = magic.length;
  if (target) {
    const from = magic.length + target[0].search(/\S/);
    rest = magic.length + target[0].length;
    parts.push(['MagicTarget', from, rest]);
  }
  for (const flag of line.matchAll(FLAG)) {
    if (flag.index >= rest) {
      parts.push(['MagicFlag', flag.index, flag.index + flag[0].length]);
    }
  }
  return parts;
}

/** `writer: drafts the text -> critic, human  # for now`, one member a line. */
const swarm = linewise('swarm', '#', (stream, state) => {
  if (stream.string.slice(0, stream.pos).trim() === '') {
    state.place = 'name';
  }
  if (stream.match(/^#.*/)) {
    return 'comment';
  }
  if (stream.match('->')) {
    state.place = 'targets';
    return 'operator';
  }
  if (stream.match(/^[:,]/)) {
    state.place = state.place === 'name' ? 'purpose' : state.place;
    return 'punctuation';
  }
  stream.match(/^(?:(?!->)[^\s:,#])+/) || stream.next();
  return state.place === 'purpose' ? null : 'target';
});

/** DOT without `digraph {`, which its own grammar does not know, and with it. */
const graph = linewise('graph', '//', (stream, state) => {
  if (state.place === 'comment' || stream.match('/*')) {
    state.place = stream.match(/^.*?\*\//) ? '' : 'comment';
    if (state.place) {
      stream.skipToEnd();
    }
    return 'comment';
  }
  if (stream.match(/^(?:\/\/|#).*/)) {
    return 'comment';
  }
  if (stream.match(/^-[->]/) || stream.match('=')) {
    return 'operator';
  }
  if (stream.match(/^"(?:\\.|[^"\\])*"?/)) {
    return state.place === 'attributes' || stream.match(/^\s*=/, false) ? 'string' : 'target';
  }
  if (stream.match(/^(?:strict|graph|digraph|subgraph|node|edge)\b/i)) {
    return 'keyword';
  }
  if (stream.match(/^-?(?:\d+\.?\d*|\.\d+)/)) {
    return 'number';
  }
  if (stream.match(/^\w+/)) {
    const named = stream.match(/^\s*=/, false) ? 'propertyName' : 'target';
    return state.place === 'attributes' && named === 'target' ? 'string' : named;
  }
  const mark = stream.next() ?? '';
  state.place = mark === '[' ? 'attributes' : mark === ']' ? '' : state.place;
  return /[[\]{}]/.test(mark) ? 'bracket' : 'punctuation';
});

type Token = (stream: StringStream, state: { place: string }) => string | null;

/** Make a language that is read token by token, below the line of its magic. */
function linewise(name: string, comment: string, token: Token): Extension {
  const parser = StreamLanguage.define<{ place: string; isMagic: boolean }>({
    name: `nbagents-${name}`,
    startState: () => ({ place: '', isMagic: false }),
    languageData: { commentTokens: { line: comment } },
    tokenTable: { target: TARGET, flag: tags.attributeName },
    token: (stream, state) => {
      if (stream.sol() && (state.isMagic = stream.match(MAGIC) !== null)) {
        return 'meta';
      }
      if (stream.eatSpace()) {
        return null;
      }
      return state.isMagic ? option(stream, state) : token(stream, state);
    }
  });
  return Prec.highest(parser);
}

const option: Token = (stream, state) => {
  const isFirst = state.place === '';
  state.place = 'options';
  if (stream.match(/^--?[a-z][\w-]*/)) {
    return 'flag';
  }
  stream.match(/^\S+/);
  return isFirst ? 'target' : null;
};
