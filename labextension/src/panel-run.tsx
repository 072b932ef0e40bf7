/** One run in the panel: how it is doing, the way to its cell, and its end. */
import React, { useState } from 'react';
import type { RunRow } from './wire';

/** Sign and words, as the outputs have them. */
const SIGNS: Record<RunRow['status'], [sign: string, words: string]> = {
  running: ['●', 'running'],
  waiting: ['?', 'waiting for you'],
  finished: ['✓', 'finished'],
  failed: ['✗', 'failed'],
  cancelled: ['■', 'stopped'],
  limited: ['⚠', 'stopped at a limit']
};

interface RunProps {
  run: RunRow;
  /** Seconds since the epoch, by the kernel's clock. */
  now: number;
  /** A question of it waits. */
  isAsking: boolean;
  stop: () => void;
  goTo: (runId: string) => void;
}

export function Run({ run, now, isAsking, stop, goTo }: RunProps): JSX.Element {
  const [isStopping, setStopping] = useState(false);
  const status = isAsking ? 'waiting' : run.status;
  const [sign, words] = SIGNS[status];
  const isOver = run.status !== 'running' && !isAsking;
  const seconds = isOver && run.seconds != null ? run.seconds : Math.max(0, now - run.started);
  const facts = [isStopping && !isOver ? 'stopping…' : words, duration(seconds, isOver)];
  return (
    <li className="nbagents-row nbagents-run">
      <button
        className="nbagents-go"
        title="Go to the cell of this run"
        onClick={() => goTo(run.run_id)}
      >
        <span className="nbagents-line">
          <span className="nbagents-sign" data-status={status} aria-hidden="true">
            {sign}
          </span>
          <b>{run.name}</b>
          {run.kind !== 'agent' && <span className="nbagents-kind">{run.kind}</span>}
        </span>
        <span className="nbagents-facts">{[...facts, ...usageOf(run)].join(' · ')}</span>
      </button>
      {!isOver && (
        <button
          className="nbagents-button"
          disabled={isStopping}
          aria-label={`Stop ${run.name}`}
          onClick={() => {
            setStopping(true);
            stop();
          }}
        >
          Stop
        </button>
      )}
    </li>
  );
}

/** List tokens and cost, if there were any. */
function usageOf(run: RunRow): string[] {
  const facts: string[] = [];
  if (run.tokens > 0) {
    facts.push(`${run.tokens.toLocaleString('en')} tokens`);
  }
  const cost = Number(run.cost ?? 0);
  if (cost > 0) {
    facts.push(`$${cost.toFixed(cost < 1 ? 4 : 2)}`);
  }
  return facts;
}

function duration(seconds: number, isOver: boolean): string {
  if (seconds < 60) {
    return `${seconds.toFixed(isOver ? 1 : 0)} s`;
  }
  const minutes = Math.floor(seconds / 60);
  const rest = String(Math.floor(seconds % 60)).padStart(2, '0');
  return minutes < 60 ? `${minutes}:${rest} min` : `${(seconds / 3600).toFixed(1)} h`;
}
