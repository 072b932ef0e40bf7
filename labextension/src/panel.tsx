/** The panel at the side: agents, sessions, runs and open questions of the current notebook. */
import { LabIcon, ReactWidget } from '@jupyterlab/ui-components';
import { Message } from '@lumino/messaging';
import React, { ReactNode } from 'react';
import { keyOf, Line, Lines } from './line';
import { Question } from './panel-question';
import { Run } from './panel-run';
import type { AgentRow, SessionRow, State } from './wire';

const TICK_MS = 1000;

const icon = new LabIcon({
  name: 'nbagents:agents',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
<g class="jp-icon3" fill="#616161"><circle cx="12" cy="5.6" r="3.4"/><circle cx="5.4" cy="17.4" r="3.4"/>
<circle cx="18.6" cy="17.4" r="3.4"/><path d="m9.6 7.8 1.5.8-3.4 6.1-1.5-.8zm4.8 0-1.5.8 3.4 6.1
1.5-.8zM8.8 16.6h6.4v1.6H8.8z"/></g></svg>`
});

/** The widget of the side bar. */
export class Panel extends ReactWidget {
  /** The question whose form is drawn, by its key. */
  private _open: string | null = null;
  private _timer = 0;

  /** `goTo` brings the cell of a run before the eyes. */
  constructor(
    private _lines: Lines,
    private _goTo: (runId: string) => void
  ) {
    super();
    this.id = 'nbagents-panel';
    this.addClass('nbagents-panel');
    this.title.icon = icon;
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', 'Agents, runs and questions');
    this.node.tabIndex = -1;
    _lines.changed.connect(this._onChange, this);
    this._onChange();
  }

  /** Draw the form of a question, whose first field takes the focus; or none. */
  answer(key: string | null): void {
    this._open = key;
    this.update();
  }

  override dispose(): void {
    window.clearInterval(this._timer);
    super.dispose();
  }

  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    if (!this.node.contains(document.activeElement)) {
      this.node.focus();
    }
  }

  protected override render(): JSX.Element {
    const line = this._lines.current;
    if (!line?.state) {
      return <Nothing hasNotebook={this._lines.notebook !== null} />;
    }
    const answer = (key: string | null): void => this.answer(key);
    const shown = { line, state: line.state, open: this._open, answer, goTo: this._goTo };
    return <Everything {...shown} />;
  }

  private _onChange(): void {
    const state = this._lines.current?.state;
    const waiting = state?.questions.length ?? 0;
    const told = waiting === 1 ? ' (1 question waits)' : ` (${waiting} questions wait)`;
    this.title.caption = `Agents, runs and questions${waiting ? told : ''}`;
    this.title.className = waiting ? 'nbagents-waits' : '';
    window.clearInterval(this._timer);
    if (waiting > 0 || state?.runs.some(run => run.status === 'running')) {
      this._timer = window.setInterval(() => this.isVisible && this.update(), TICK_MS);
    }
    this.update();
  }
}

interface Shown {
  line: Line;
  state: State;
  open: string | null;
  answer: (key: string | null) => void;
  goTo: (runId: string) => void;
}

function Nothing({ hasNotebook }: { hasNotebook: boolean }): JSX.Element {
  return (
    <p className="nbagents-empty">
      {hasNotebook ? (
        <>
          Nothing here yet. Run <code>%load_ext nbagents</code> in this notebook; its agents and
          what they do are shown here then.
        </>
      ) : (
        'Open a notebook: its agents, and what they do, are shown here.'
      )}
    </p>
  );
}

function Everything({ line, state, open, answer, goTo }: Shown): JSX.Element {
  const { agents, questions, runs, sessions } = state;
  const waiting =
    questions.length === 1 ? '1 question waits' : `${questions.length} questions wait`;
  return (
    <>
      <p className="nbagents-unseen" role="status">
        {questions.length > 0 && `${waiting} for you.`}
      </p>
      {questions.length > 0 && (
        <Section title="Questions" count={questions.length}>
          {questions.map(question => (
            <Question
              key={keyOf(question)}
              line={line}
              question={question}
              isOpen={keyOf(question) === open}
              toggle={isOpen => answer(isOpen ? keyOf(question) : null)}
              goTo={goTo}
            />
          ))}
        </Section>
      )}
      <Section title="Runs" count={runs.length} empty={<NoRuns agents={agents} />}>
        {runs.map(run => (
          <Run
            key={run.run_id}
            run={run}
            now={line.now}
            isAsking={questions.some(question => question.run_id === run.run_id)}
            stop={() => line.say({ type: 'stop', run_id: run.run_id })}
            goTo={goTo}
          />
        ))}
      </Section>
      <Section title="Agents" count={agents.length} empty={<NoAgents />}>
        {agents.map(agent => (
          <Agent key={agent.name} {...agent} />
        ))}
      </Section>
      <Section title="Sessions" count={sessions.length} empty={<NoSessions />}>
        {sessions.map(session => (
          <Session key={session.id} {...session} />
        ))}
      </Section>
    </>
  );
}

interface SectionProps {
  title: string;
  count: number;
  empty?: ReactNode;
  children: ReactNode;
}

function Section({ title, count, empty, children }: SectionProps): JSX.Element {
  const id = `nbagents-panel-${title.toLowerCase()}`;
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>
        {title} {count > 0 && <span className="nbagents-count">{count}</span>}
      </h2>
      {count > 0 ? <ul>{children}</ul> : <p className="nbagents-empty">{empty}</p>}
    </section>
  );
}

function Agent({ name, kind, model, detail }: AgentRow): JSX.Element {
  return (
    <li className="nbagents-row">
      <div className="nbagents-line">
        <b>{name}</b>
        {kind !== 'agent' && <span className="nbagents-kind">{kind}</span>}
      </div>
      {(model || detail) && (
        <div className="nbagents-facts">{[model, detail].filter(Boolean).join(' · ')}</div>
      )}
    </li>
  );
}

function Session({ id, is_chosen: isChosen }: SessionRow): JSX.Element {
  return (
    <li className="nbagents-row">
      <div className="nbagents-line">
        {isChosen ? <b>{id}</b> : <span>{id}</span>}
        {isChosen && <span className="nbagents-kind">current</span>}
      </div>
    </li>
  );
}

function NoRuns({ agents }: { agents: AgentRow[] }): JSX.Element {
  const name = agents.length > 0 ? agents[0].name : 'helper';
  return (
    <>
      None yet. Ask: <code>%ask {name} …</code>
    </>
  );
}

function NoAgents(): JSX.Element {
  return (
    <>
      None yet. Begin a cell with <code>%%agent helper</code> and write below what it is for.
    </>
  );
}

function NoSessions(): JSX.Element {
  return (
    <>
      None yet. <code>%session work</code> keeps what is said from then on.
    </>
  );
}
