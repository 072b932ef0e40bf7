import { describe, expect, test } from 'vitest';
import { assemble, decision, explain, Field, fieldsOf } from '../src/fields';

const FILE = {
  type: 'object',
  properties: { type: { const: 'file' }, media_type: { type: 'string' } }
};

/** Kind and what else is not as usual of a single field. */
function only(schema: object): Partial<Field> {
  const [field] = fieldsOf(schema as never);
  const usual = { label: '', help: '', required: true, nullable: false, default: null };
  const rest = { minimum: null, maximum: null, name: '', options: [], labels: ['Yes', 'No'] };
  const known: Record<string, unknown> = { ...usual, ...rest };
  return Object.fromEntries(
    Object.entries(field).filter(
      ([key, value]) => JSON.stringify(known[key]) !== JSON.stringify(value)
    )
  );
}

describe('a field', () => {
  test.each([
    [{ type: 'string' }, { kind: 'text' }],
    [{ type: 'string', format: 'password' }, { kind: 'password' }],
    [{ type: 'string', format: 'textarea' }, { kind: 'long' }],
    [{ type: 'string', format: 'date' }, { kind: 'date' }],
    [{ type: 'string', format: 'date-time' }, { kind: 'datetime' }],
    [{ type: 'string', format: 'time' }, { kind: 'time' }],
    [{ type: 'string', format: 'email' }, { kind: 'text' }],
    [{ type: 'boolean' }, { kind: 'yesno' }],
    [
      { type: 'boolean', labels: ['Allow', 'Deny'] },
      { kind: 'yesno', labels: ['Allow', 'Deny'] }
    ],
    [{ type: 'boolean', labels: ['Allow', 1] }, { kind: 'yesno' }],
    [
      { type: 'number', minimum: 0.5 },
      { kind: 'number', minimum: 0.5 }
    ],
    [
      { type: 'integer', exclusiveMinimum: 0, exclusiveMaximum: 9 },
      { kind: 'integer', minimum: 1, maximum: 8 }
    ],
    [{ enum: ['a', 1] }, { kind: 'choice', options: ['a', 1] }],
    [{ const: 'a' }, { kind: 'choice', options: ['a'] }],
    [{ type: 'null' }, { kind: 'choice', options: [null] }],
    [
      { $defs: { Size: { enum: ['s', 'l'] } }, $ref: '#/$defs/Size' },
      { kind: 'choice', options: ['s', 'l'] }
    ],
    [
      { anyOf: [{ enum: ['a'] }, { type: 'null' }] },
      { kind: 'choice', options: ['a', null], nullable: true }
    ],
    [{ anyOf: [{ type: 'integer' }, { type: 'null' }] }, { kind: 'integer', nullable: true }],
    [{ anyOf: [{ type: 'integer' }, { type: 'string' }] }, { kind: 'text' }],
    [{ anyOf: [{ type: 'integer' }, { type: 'boolean' }] }, { kind: 'json' }],
    [
      { type: 'array', items: { enum: ['a', 'b'] } },
      { kind: 'choices', options: ['a', 'b'] }
    ],
    [{ type: 'array', items: { type: 'string' } }, { kind: 'lines' }],
    [
      { type: 'array', items: { type: 'string' }, default: ['a\nb'] },
      { kind: 'json', default: ['a\nb'] }
    ],
    [{ type: 'object', additionalProperties: true }, { kind: 'json' }],
    [FILE, { kind: 'file' }],
    [{ type: 'array', items: FILE }, { kind: 'files' }],
    [{}, { kind: 'text' }]
  ])('of %j is %j', (schema, expected) => {
    expect(only(schema)).toEqual(expected);
  });

  test('of a model is one a property, with its title, help and default', () => {
    const fields = fieldsOf({
      type: 'object',
      required: ['city'],
      properties: {
        city: { type: 'string', title: 'City', description: 'Where to.' },
        first_DAY: { type: 'integer', default: 3 }
      }
    });
    expect(fields.map(one => [one.name, one.label, one.help, one.required, one.default])).toEqual([
      ['city', 'City', 'Where to.', true, null],
      ['first_DAY', 'First day', '', false, 3]
    ]);
  });
});

describe('buttons answer at once', () => {
  const flag = { type: 'boolean' };
  test.each([
    [flag, ''],
    [{ enum: [1, 2, 3, 4, 5, 6] }, ''],
    [{ type: 'object', properties: { ok: flag }, required: ['ok'] }, 'ok'],
    [{ enum: [1, 2, 3, 4, 5, 6, 7] }, null],
    [{ type: 'string' }, null],
    [{ type: 'object', properties: { ok: flag, why: flag }, required: ['ok', 'why'] }, null]
  ])('for %j by %j', (schema, name) => {
    expect(decision(fieldsOf(schema as never))?.name ?? null).toBe(name);
  });
});

describe('an answer', () => {
  const fields = fieldsOf({
    type: 'object',
    required: ['city', 'days', 'note'],
    properties: {
      city: { type: 'string' },
      days: { type: 'integer' },
      note: { anyOf: [{ type: 'string' }, { type: 'null' }] },
      code: { type: 'string', format: 'password', default: '' },
      more: { type: 'object', default: {} },
      hotel: { type: 'boolean', default: false }
    }
  });

  test('has what was filled in, and leaves out what has a default', () => {
    const values = { city: 'Ghent', days: '3', note: '', code: '', more: '{"a": [1]}' };
    expect(assemble(fields, values)).toEqual({
      city: 'Ghent',
      days: 3,
      note: null,
      more: { a: [1] }
    });
  });

  test('keeps what is no number for the kernel to refuse, and what is too large for one here', () => {
    const values = { city: '', days: 'three', hotel: false };
    expect(assemble(fields, values)).toEqual({ city: '', days: 'three', note: null, hotel: false });
    const large = '12345678901234567890';
    expect(assemble(fieldsOf({ type: 'integer' }), { '': large })).toBe(large);
  });

  test.each([
    [{ type: 'string' }, { '': '' }, ''],
    [{ type: 'boolean' }, { '': false }, false],
    [{ anyOf: [{ type: 'number' }, { type: 'null' }] }, { '': '' }, null],
    [{ type: 'integer' }, { '': '7' }, 7]
  ])('to %j from %j is %j', (schema, values, answer) => {
    expect(assemble(fieldsOf(schema as never), values)).toBe(answer);
  });

  test('that was refused is explained field by field', () => {
    const told =
      "The answer to q1 ('Where; to?') does not fit. days: Input should be; less; more.a: Bad; Odd";
    expect(explain(fields, told)).toEqual({ days: 'Input should be; less', more: 'Bad; Odd' });
    expect(explain(fields, 'Nobody waits for this answer any more.')).toEqual({
      '': 'Nobody waits for this answer any more.'
    });
  });
});
