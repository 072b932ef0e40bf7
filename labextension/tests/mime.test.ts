// @vitest-environment jsdom
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { beforeEach, expect, test, vi } from 'vitest';
import * as hub from '../src/hub';
import renderers, { PICTURE_MIME, RUN_MIME } from '../src/mime';
import { Story } from './made';

// Lumino extends it as soon as it is loaded, and jsdom has none.
vi.hoisted(() => vi.stubGlobal('DragEvent', MouseEvent));

const asked: string[] = [];
hub.onWatch(runId => asked.push(runId));

function rendererOf(mimeType: string): IRenderMime.IRenderer {
  const found = renderers.find(({ rendererFactory }) =>
    rendererFactory.mimeTypes.includes(mimeType)
  ) as IRenderMime.IExtension;
  const sanitizer = { sanitize: (dirty: string) => dirty.replace(/<script.*script>/, '') };
  return found.rendererFactory.createRenderer({ mimeType, sanitizer } as never);
}

/** Show this output in a renderer, as JupyterLab does, and wait for the next frame. */
async function render(renderer: IRenderMime.IRenderer, data: object): Promise<string> {
  await renderer.renderModel({
    data,
    metadata: {},
    trusted: false,
    setData: () => undefined
  } as never);
  return text(renderer);
}

async function text(renderer: IRenderMime.IRenderer): Promise<string> {
  await new Promise(resolve => requestAnimationFrame(resolve));
  const parts = [...renderer.node.children] as HTMLElement[];
  return parts.flatMap(part => (part.hidden ? [] : (part.textContent ?? ''))).join();
}

beforeEach(() => {
  vi.stubGlobal('requestAnimationFrame', (then: () => void) => setTimeout(then, 1));
  asked.length = 0;
});

const frame = (html: string) => ({
  [RUN_MIME]: { run_id: 'r', version: 1, live: true, events: [] },
  'text/html': html
});

test('a run under way is shown as it is without us, until the kernel tells of it', async () => {
  const renderer = rendererOf(RUN_MIME);
  expect(await render(renderer, frame('<p>one<script>bad</script></p>'))).toBe('one');
  expect(asked).toEqual(['r']);
  const story = new Story().start().says('Hello.');
  hub.publish('r', story.document().events);
  expect(await text(renderer)).toBe('one');
  hub.document('r', story.document({ live: true }));
  expect(await text(renderer)).toContain('Hello.');
  expect(await render(renderer, frame('<p>two</p>'))).not.toContain('two');
  hub.publish('r', story.says('More.').document().events.slice(-1));
  expect(await text(renderer)).toContain('More.');
  expect(await render(renderer, { [RUN_MIME]: story.ends().document() })).toContain('finished');
  expect([asked, hub.watched()]).toEqual([['r'], []]);
});

test('a renderer that is gone hears no more', async () => {
  const renderer = rendererOf(RUN_MIME);
  await render(renderer, frame('one'));
  (renderer as unknown as { dispose(): void }).dispose();
  expect(hub.watched()).toEqual([]);
});

test('a picture that is laid out later is asked for, once', async () => {
  const [run, picture] = [rendererOf(RUN_MIME), rendererOf(PICTURE_MIME)];
  const stub = { [PICTURE_MIME]: { run_id: 'r', version: 1 } };
  await render(picture, stub);
  expect(asked).toEqual([]);
  await render(run, frame('one'));
  const late = rendererOf(PICTURE_MIME);
  expect(await render(late, stub)).toBe('');
  await render(late, stub);
  expect(asked).toEqual(['r', 'r']);
  (run as unknown as { dispose(): void }).dispose();
});

test.each([null, 5, 'text', [], {}])('what is no run says so: %j', async data => {
  expect(await render(rendererOf(RUN_MIME), { [RUN_MIME]: data })).toContain('not a run document');
});

test('the text of a file is shown as the run that it holds, or as it is when it holds none', async () => {
  const renderer = rendererOf(RUN_MIME);
  const whole = JSON.stringify(new Story().start().says('Hello.').ends().document());
  const broken = await render(renderer, { [RUN_MIME]: whole.slice(0, -9) });
  expect(broken).toContain('not a run document');
  expect(broken).toContain('"Hello."');
  expect(renderer.node.querySelector('pre')?.textContent).toBe(whole.slice(0, -9));
  const shown = await render(renderer, { [RUN_MIME]: whole });
  expect(shown).toContain('finished');
  expect(shown).not.toContain('no document');
  expect(await render(renderer, { [RUN_MIME]: '' })).toContain('not a run document');
});

test('runs of one cell that nobody asked to see are one line, in it one each, in it the run', async () => {
  const renderer = rendererOf(RUN_MIME);
  const documents = ['one', 'two'].map(id =>
    new Story().start(id).says(`I am ${id}.`, id).ends(id).document({ run_id: id, folded: true })
  );
  const [first, second] = documents;
  const told = { ...first, heading: '2 runs · poet 2', more: [second, null, 7] };
  expect(await render(renderer, { [RUN_MIME]: told })).toBe('2 runs · poet 2');
  const press = async (button: Element) => {
    (button as HTMLElement).click();
    return text(renderer);
  };
  const creases = () => renderer.node.querySelectorAll('.nba-pile .nba-crease:not([hidden])');
  expect(creases()).toHaveLength(1);
  expect(await press(creases()[0])).not.toContain('I am');
  expect(creases()).toHaveLength(3);
  expect(await press(creases()[2])).toContain('I am two.');
  expect(creases()[0].getAttribute('aria-expanded')).toBe('true');
  renderer.dispose();
});
