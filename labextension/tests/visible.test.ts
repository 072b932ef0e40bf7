/** The page and the kernel write what cannot be seen alike; tests/test_untrusted.py has the same samples. */
import { expect, test } from 'vitest';
import { exact, visible } from '../../nbagents/notebook/forms/visible.js';
import samples from './samples/visible.json';

test.each(samples)('$name', ({ text, shown, json }) => {
  expect(visible(text)).toBe(shown);
  expect(exact(JSON.stringify(text))).toBe(json);
  expect(JSON.parse(json)).toBe(text);
});
