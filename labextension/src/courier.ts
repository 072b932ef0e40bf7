/** Stands for the kernel before a form that is drawn in the panel, and makes its answer one message. */
import type { FormMessage, FormModel } from '../../nbagents/notebook/forms/form.js';
import { visible } from '../../nbagents/notebook/forms/visible.js';
import { assemble, decision, explain, Field, fieldsOf } from './fields';
import { markdown } from './markdown';
import type { QuestionRow } from './wire';

/** Bytes: a server takes messages of up to 10 MiB, and base64 makes more of them. */
const LARGEST_FILE = 7_000_000;

/** One question's form and its answer. */
export class Courier implements FormModel {
  private _fields: Field[];
  private _files = new Map<string, string>();
  private _nonce = '';
  private _tell: (message: unknown) => void = () => undefined;

  constructor(
    private _question: QuestionRow,
    private _answer: (answer: unknown) => void
  ) {
    this._fields = fieldsOf(_question.schema);
  }

  /** Say all that the form has to know. */
  get(): unknown {
    const { asker, prompt, reason, details } = this._question;
    return {
      id: crypto.randomUUID(),
      asker,
      prompt: visible(markdown(prompt)),
      reason,
      details,
      fields: this._fields,
      decision: decision(this._fields)?.name ?? null,
      problem: '',
      largest_file: LARGEST_FILE
    };
  }

  on(name: string, listener: (message: unknown) => void): void {
    if (name === 'msg:custom') {
      this._tell = listener;
    }
  }

  send(message: FormMessage): void {
    if (message.kind === 'ready') {
      this._later({ kind: 'ack' });
    } else if (message.kind === 'piece') {
      this._files.set(message.file, (this._files.get(message.file) ?? '') + message.text);
    } else if (message.kind === 'submit') {
      this._nonce = message.nonce;
      this._submit(message.values);
    }
  }

  /** Show why the kernel has not taken the answer. */
  refuse(why: string): void {
    this._tell({ kind: 'problem', nonce: this._nonce, problems: explain(this._fields, why) });
  }

  private _submit(values: Record<string, unknown>): void {
    const whole = Object.entries(values).map(([name, value]) => [name, this._withFiles(value)]);
    this._files.clear();
    this._answer(assemble(this._fields, Object.fromEntries(whole)));
  }

  /** Put the pieces of the files into the place of their names. */
  private _withFiles(value: unknown): unknown {
    if (Array.isArray(value)) {
      return value.map(one => this._withFiles(one));
    }
    if (value !== null && typeof value === 'object' && 'pieces' in value) {
      const { pieces, ...file } = value;
      return { ...file, data: this._files.get(String(pieces)) ?? '' };
    }
    return value;
  }

  /** Tell the form something once it has done what it does now. */
  private _later(message: unknown): void {
    queueMicrotask(() => this._tell(message));
  }
}
