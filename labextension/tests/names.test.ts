// @vitest-environment jsdom
/** Names that every object of JavaScript has, where a document or a schema may have any name. */
import { expect, test } from 'vitest';
import { Courier } from '../src/courier';
import { fieldsOf } from '../src/fields';
import form from '../../nbagents/notebook/forms/form.js';
import { Viewer } from '../src/viewer';
import { sound } from '../src/sound';
import type { RunDocument } from '../src/wire';
import { Story } from './made';
import { press } from './press';

const NAMES = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf'];

async function shown(story: Story): Promise<string> {
  const viewer = new Viewer(() => undefined);
  viewer.setDocument({ run_id: 'r', version: 1, live: false, events: story.events } as RunDocument);
  await new Promise(requestAnimationFrame);
  return viewer.node.textContent ?? '';
}

test.each(NAMES)(
  'an event or a part of the type %s is passed over, and the rest is shown',
  async name => {
    const story = new Story().start('r').message([{ type: name }, { type: 'text', text: 'kept' }]);
    const odd = { type: name, run_id: 'r', seq: 9, at: 1 };
    expect(sound([...story.events, odd])).toEqual(story.events);
    expect(await shown(story)).not.toContain('cannot be');
  }
);

test.each(NAMES)(
  '%s can be the name of an agent, a tool, a call, and how a message ended',
  async name => {
    const story = new Story().start('r', { name, kind: name, model: name, topology: undefined });
    story.message([{ type: 'tool_call', call_id: name, name, args: `{"${name}": 1}` }], 'r', {
      stop: name
    });
    story.add('handed_off', { source: name, target: name, reason: name });
    story.add('edge_taken', { source: name, target: name });
    story.add('input_requested', { question_id: name, asker: name, prompt: name, reason: '' });
    story.add('input_received', { question_id: name, via: name, answer: name });
    expect(sound(story.events)).toHaveLength(story.events.length);
    const text = await shown(story);
    expect(text).toContain(name);
    expect(text).not.toContain('cannot be');
    expect(text).not.toContain('[object');
  }
);

test.each(NAMES)('%s can be the name of a field, of a format and of a definition', async name => {
  const answers: unknown[] = [];
  const properties = JSON.parse(`{"${name}": {"type": "string", "format": "${name}"}}`);
  const schema = { type: 'object', properties, required: [name], $defs: {} };
  const unknown = { $ref: `#/$defs/${name}`, $defs: {} };
  expect(fieldsOf(unknown as never)[0].kind).toBe('json');
  const row = { run_id: 'r', question_id: 'q', asker: 'a', prompt: 'p', reason: '', details: '' };
  const courier = new Courier({ ...row, schema: schema as never }, answer => answers.push(answer));
  const el = document.body.appendChild(document.createElement('div'));
  form.render({ model: courier, el });
  const input = el.querySelector('input')!;
  expect(input.value).toBe('');
  input.value = 'typed';
  await press(el, '.nb-primary');
  await expect.poll(() => answers).toHaveLength(1);
  expect(JSON.stringify(answers[0])).toBe(`{"${name}":"typed"}`);
  courier.refuse(`The answer to q does not fit. ${name}: Too long`);
  expect(el.querySelector('.nb-wrong')!.textContent).toBe('Too long');
});
