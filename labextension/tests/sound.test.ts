/** Events as they are read from a saved document. */
import { expect, test } from 'vitest';
import { sound } from '../src/sound';
import { Story } from './made';

test('values that a notebook file would have sorted keep the order of their keys', () => {
  const story = new Story().start('r');
  story.add('tool_started', { call_id: 'c', name: 'f', args: {} });
  const [start, { args, ...rest }] = story.events as never as Record<string, unknown>[];
  const saved = { ...rest, ordered: { args: '{"zip": 1, "area": {"y": 1, "x": 2}}', type: '"x"' } };
  const read = sound([start, saved]);
  expect(args).toEqual({});
  expect(JSON.stringify(read[1])).toContain('"args":{"zip":1,"area":{"y":1,"x":2}}');
  expect(read[1].type).toBe('tool_started');
});

test.each(['{', 7, null, {}])('an order that cannot be read (%s) costs one event', ordered => {
  const story = new Story().start('r');
  story.add('tool_started', { call_id: 'c', name: 'f' });
  const [start, call] = story.events as never as Record<string, unknown>[];
  expect(sound([start, { ...call, ordered: { args: ordered } }])).toContainEqual(start);
});
