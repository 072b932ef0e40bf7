/** The forms in cells, which the panel draws too. */
declare module '*/forms/form.js' {
  /** The page's half of a widget, as far as a form needs one. */
  export interface FormModel {
    get(name: 'spec'): unknown;
    send(message: FormMessage): void;
    on(name: string, listener: (message: unknown) => void): void;
  }

  export type FormMessage =
    | { kind: 'ready' | 'later' | 'closed' }
    | { kind: 'piece'; file: string; text: string }
    | { kind: 'submit'; nonce: string; values: Record<string, unknown> };

  const form: { render(context: { model: FormModel; el: HTMLElement }): () => void };
  export default form;
}

/** Invisible characters as code points. */
declare module '*/forms/visible.js' {
  /** Replace each invisible or bidirectional character by its code point. */
  export function visible(text: string): string;
  /** Escape each character of JSON text that is invisible or looks like another kind of space. */
  export function exact(json: string): string;
}
