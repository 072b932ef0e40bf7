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

/** What cannot be seen, written as its code. */
declare module '*/forms/visible.js' {
  /** Write each invisible or bidirectional character of a text as its code. */
  export function visible(text: string): string;
  /** Write JSON with an escape for each character that cannot be seen, or told from another. */
  export function exact(json: string): string;
}
