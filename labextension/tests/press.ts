import { expect } from 'vitest';

/** Press a button once it takes presses, which it does not in the first moment. */
export async function press(el: HTMLElement, selector: string): Promise<void> {
  const button = el.querySelector<HTMLButtonElement>(selector)!;
  await expect.poll(() => button.getAttribute('aria-disabled')).toBeNull();
  button.click();
}
