/** A notification for each question that waits, gone when it is answered or over. */
import { Notification } from '@jupyterlab/apputils';
import { visible } from '../../nbagents/notebook/forms/visible.js';
import { keyOf, Line, Lines } from './line';
import { markdown } from './markdown';
import type { QuestionRow } from './wire';

/** What a notification's buttons do. */
export interface Ways {
  answer(line: Line, question: QuestionRow): void;
  goTo(runId: string): void;
}

/** Tell of the questions of all kernels for as long as the page is there. */
export function notify(lines: Lines, ways: Ways): void {
  const told = new Map<string, string>();
  lines.changed.connect(() => {
    const waiting = new Set<string>();
    for (const line of lines.all) {
      for (const question of line.state?.questions ?? []) {
        const key = keyOf(question);
        waiting.add(key);
        if (!told.has(key)) {
          told.set(key, tell(line, question, ways));
        }
      }
    }
    for (const [key, id] of told) {
      if (!waiting.has(key)) {
        Notification.dismiss(id);
        told.delete(key);
      }
    }
  });
}

function tell(line: Line, question: QuestionRow, ways: Ways): string {
  const read = new DOMParser().parseFromString(markdown(question.prompt), 'text/html');
  const text = visible(`${question.asker} asks: ${read.body.textContent?.trim()}`);
  return Notification.emit(text, 'warning', {
    autoClose: false,
    actions: [
      { label: 'Answer', displayType: 'accent', callback: () => ways.answer(line, question) },
      { label: 'Go to cell', callback: () => ways.goTo(question.run_id) }
    ]
  });
}
