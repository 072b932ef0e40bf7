// @vitest-environment jsdom
import { afterEach, expect, test } from 'vitest';
import form from '../../nbagents/notebook/forms/form.js';
import { Courier } from '../src/courier';
import { press } from './press';

let answers: unknown[] = [];

function drawn(schema: object, details = ''): { el: HTMLElement; courier: Courier } {
  const question = { run_id: 'r', question_id: 'q1', asker: 'ada', prompt: 'Who **is** it?' };
  const row = { ...question, reason: '', schema: schema as never, details };
  const courier = new Courier(row, answer => answers.push(answer));
  const el = document.body.appendChild(document.createElement('div'));
  form.render({ model: courier, el });
  return { el, courier };
}

afterEach(() => {
  answers = [];
  document.body.replaceChildren();
});

test('the form in a cell is drawn, and its answer is one value', async () => {
  const { el } = drawn({ type: 'string' }, '{ "a": 1 }');
  expect(el.querySelector('.nb-prompt')!.innerHTML).toContain('<strong>is</strong>');
  expect(el.querySelector('.nb-details')!.textContent).toBe('{ "a": 1 }');
  el.querySelector('input')!.value = 'Grace';
  await press(el, '.nb-primary');
  await expect.poll(() => answers).toEqual(['Grace']);
});

test('an answer that is refused is explained, and what was typed stays', async () => {
  const { el, courier } = drawn({
    type: 'object',
    required: ['days'],
    properties: { days: { type: 'integer' } }
  });
  const input = el.querySelector('input')!;
  input.value = '40';
  await press(el, '.nb-primary');
  await expect.poll(() => answers).toEqual([{ days: 40 }]);
  courier.refuse("The answer to q1 ('Who') does not fit. days: Too many");
  expect(el.querySelector('.nb-wrong')!.textContent).toBe('Too many');
  expect(input.value).toBe('40');
  expect(document.activeElement).toBe(input);
});

test('a decision answers by its button', async () => {
  const { el } = drawn({ type: 'boolean' });
  await press(el, '.nb-choice + .nb-choice');
  await expect.poll(() => answers).toEqual([false]);
});

test('a press in the first moment of a form is no answer', async () => {
  const { el } = drawn({ type: 'boolean' });
  el.querySelector<HTMLButtonElement>('.nb-choice')!.click();
  await press(el, '.nb-choice + .nb-choice');
  await expect.poll(() => answers).toEqual([false]);
});

test('a form does not take the focus', () => {
  const before = document.body.appendChild(document.createElement('input'));
  before.focus();
  drawn({ type: 'string' });
  expect(document.activeElement).toBe(before);
});

test('a file is sent whole', async () => {
  const { el, courier } = drawn({
    type: 'object',
    properties: { type: { const: 'file' }, media_type: { type: 'string' } }
  });
  expect(el.querySelector('input[type=file]')).not.toBeNull();
  courier.send({ kind: 'piece', file: 'f', text: 'c29' });
  courier.send({ kind: 'piece', file: 'f', text: '1cA==' });
  const value = { name: 'a.txt', media_type: 'text/plain', pieces: 'f' };
  courier.send({ kind: 'submit', nonce: 'n', values: { '': value } });
  expect(answers).toEqual([{ name: 'a.txt', media_type: 'text/plain', data: 'c291cA==' }]);
});

test('nothing in a question is markup', () => {
  const { el } = drawn({ enum: ['<b>a</b>', 'b'] }, '</pre><img src=x>');
  expect(el.querySelector('b b, img, u')).toBeNull();
  expect(el.textContent).toContain('<b>a</b>');
});
