// @vitest-environment jsdom
/** The page and the kernel write what cannot be seen alike; tests/test_untrusted.py has the same samples. */
import { expect, test } from 'vitest';
import form from '../../nbagents/notebook/forms/form.js';
import { exact, visible } from '../../nbagents/notebook/forms/visible.js';
import { Courier } from '../src/courier';
import { draw } from '../src/draw';
import { rowsOf } from '../src/rows';
import { asText } from '../src/text';
import { folded, Story } from './made';
import { press } from './press';
import samples from './samples/visible.json';

test.each(samples)('$name', ({ text, shown, json }) => {
  expect(visible(text)).toBe(shown);
  expect(exact(JSON.stringify(text))).toBe(json);
  expect(JSON.parse(json)).toBe(text);
});

const UNSEEN = 'a\u202eb\u200bc\u2066d';
const WRITTEN = 'a‹U+202E›b‹U+200B›c‹U+2066›d';

test('a form shows what is in its labels, its helps and its choices, and answers with what they are', async () => {
  const answers: unknown[] = [];
  const schema = {
    type: 'object',
    required: ['pick'],
    properties: {
      pick: { enum: [UNSEEN, 'abcd'], title: UNSEEN, description: UNSEEN },
      more: { type: 'string', title: UNSEEN, description: UNSEEN, default: '' }
    }
  };
  const row = { run_id: 'r', question_id: 'q', asker: 'a', reason: '', details: '' };
  const question = { ...row, prompt: `${UNSEEN} &#8238; &zwj;`, schema: schema as never };
  const courier = new Courier(question, answer => answers.push(answer));
  const el = document.body.appendChild(document.createElement('div'));
  form.render({ model: courier, el });
  expect(el.textContent).not.toMatch(/[\u202e\u200b\u200d\u2066]/);
  expect(el.querySelector('.nb-prompt')?.textContent?.trim()).toBe(`${WRITTEN} ‹U+202E› ‹U+200D›`);
  const choices = [...el.querySelectorAll<HTMLButtonElement>('.nb-choice')];
  expect(choices.map(each => each.textContent)).toEqual([WRITTEN, 'abcd']);
  expect(el.textContent?.split(WRITTEN)).toHaveLength(7);
  await press(el, '.nb-choice');
  await expect.poll(() => answers).toEqual([{ pick: UNSEEN, more: '' }]);
});

test('the viewer and what is copied show what was asked, and with what a tool is called', () => {
  const story = new Story().start('r');
  const args = JSON.stringify({ [UNSEEN]: UNSEEN });
  story.message([{ type: 'tool_call', call_id: 'c', name: 'act', args }]);
  const asked = { asker: UNSEEN, prompt: UNSEEN, reason: UNSEEN, details: { what: UNSEEN } };
  story.add('input_requested', { question_id: 'q', call_id: 'c', ...asked }).hears('q', UNSEEN);
  const rows = rowsOf(story.root, { opened: new Map(), show: 'all', search: '' });
  const made = document.createElement('div');
  made.append(...rows.map(row => draw(row, 0)));
  for (const text of [made.textContent, asText(folded(story.events), 0)]) {
    expect(text).toContain(WRITTEN);
    expect(text).not.toMatch(/[\u202e\u200b\u2066]/);
  }
  expect(made.textContent).toContain('"a\\u202eb\\u200bc\\u2066d"');
});
