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

/**
 * Tell of the questions of all kernels for as long as the page is there.
 *
 * Returns what takes the notifications of some runs away: who is at a form needs none over it.
 */
export function notify(lines: Lines, ways: Ways): (isHere: (runId: string) => boolean) => void {
  const told = new Map<string, { runId: string; id: string }>();
  lines.changed.connect(() => {
    const waiting = new Set<string>();
    for (const line of lines.all) {
      for (const question of line.state?.questions ?? []) {
        const key = keyOf(question);
        waiting.add(key);
        if (!told.has(key)) {
          told.set(key, { runId: question.run_id, id: tell(line, question, ways) });
        }
      }
    }
    for (const [key, { id }] of told) {
      if (!waiting.has(key)) {
        Notification.dismiss(id);
        told.delete(key);
      }
    }
  });
  return isHere => {
    for (const { runId, id } of told.values()) {
      if (isHere(runId)) {
        Notification.dismiss(id);
      }
    }
  };
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
