/** One question in the panel: what is asked, and the form of the answer, as it stands in the cell. */
import React, { useLayoutEffect, useRef } from 'react';
import form from '../../nbagents/notebook/forms/form.js';
import { visible } from '../../nbagents/notebook/forms/visible.js';
import { Courier } from './courier';
import { Line } from './line';
import { markdown } from './markdown';
import type { QuestionRow } from './wire';

interface QuestionProps {
  line: Line;
  question: QuestionRow;
  isOpen: boolean;
  toggle: (isOpen: boolean) => void;
  goTo: (runId: string) => void;
}

export function Question({ line, question, isOpen, toggle, goTo }: QuestionProps): JSX.Element {
  return (
    <li className="nbagents-question">
      {isOpen ? (
        <Form line={line} question={question} />
      ) : (
        <>
          <div className="nbagents-line">
            <span className="nbagents-sign" data-status="waiting" aria-hidden="true">
              ?
            </span>
            <span>
              <b>{question.asker}</b> asks
            </span>
          </div>
          <div
            className="nbagents-prompt"
            dangerouslySetInnerHTML={{ __html: visible(markdown(question.prompt)) }}
          />
        </>
      )}
      <div className="nbagents-actions">
        <button
          className={`nbagents-button nbagents-${isOpen ? 'quiet' : 'primary'}`}
          aria-expanded={isOpen}
          onClick={() => toggle(!isOpen)}
        >
          {isOpen ? 'Close' : 'Answer'}
        </button>
        <button className="nbagents-button nbagents-quiet" onClick={() => goTo(question.run_id)}>
          Go to cell
        </button>
      </div>
    </li>
  );
}

function Form({ line, question }: { line: Line; question: QuestionRow }): JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  const { run_id, question_id } = question;
  useLayoutEffect(() => {
    const el = host.current!;
    let isSent = false;
    const courier = new Courier(question, answer => {
      isSent = true;
      line.say({ type: 'answer', run_id, question_id, answer });
    });
    const refuse: Parameters<Line['refused']['connect']>[0] = (_, refused) => {
      if (refused.run_id === run_id && refused.question_id === question_id) {
        courier.refuse(refused.message);
      }
    };
    line.refused.connect(refuse);
    const end = form.render({ model: courier, el });
    const frame = requestAnimationFrame(() => firstOf(el)?.focus());
    return () => {
      // What is sent is disabled, and so has lost the focus.
      const active = document.activeElement;
      const hadFocus = el.contains(active) || (isSent && active === document.body);
      cancelAnimationFrame(frame);
      line.refused.disconnect(refuse);
      end();
      if (hadFocus) {
        el.closest<HTMLElement>('.nbagents-panel')?.focus();
      }
    };
    // The state is sent anew all the time; the question in it stays what it was.
  }, [line, run_id, question_id]);
  return <div ref={host} className="nbagents-answer" />;
}

/** Find what is filled in first; never a button, which the next Enter would press. */
function firstOf(el: HTMLElement): HTMLElement | null {
  return el.querySelector('.nb-body :is(input, textarea, select)') ?? el.querySelector('form');
}
