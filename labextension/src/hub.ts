/** Where what kernels say of runs meets those that show them. */
import type { Events, RunDocument } from './wire';

/** Hears of one run. */
export interface Listener {
  events(events: Events['events']): void;
  document(document: RunDocument): void;
}

const listeners = new Map<string, Set<Listener>>();
const watchers: ((runId: string) => void)[] = [];

/** Show a run that is under way; its document is asked for. Returns what ends it. */
export function subscribe(runId: string, listener: Listener): () => void {
  const all = listeners.get(runId) ?? new Set();
  listeners.set(runId, all.add(listener));
  watchers.forEach(watcher => watcher(runId));
  return () => {
    all.delete(listener);
    if (all.size === 0) {
      listeners.delete(runId);
    }
  };
}

/** Ask for the document again, if the run is shown and under way: more of it is known now. */
export function refresh(runId: string): void {
  if (listeners.has(runId)) {
    watchers.forEach(watcher => watcher(runId));
  }
}

/** List the runs that are shown and under way. */
export function watched(): string[] {
  return [...listeners.keys()];
}

/** Hear of each run whose document is wanted. */
export function onWatch(watcher: (runId: string) => void): void {
  watchers.push(watcher);
}

/** Tell what has just happened. */
export function publish(runId: string, events: Events['events']): void {
  listeners.get(runId)?.forEach(listener => listener.events(events));
}

/** Tell all that has happened so far. */
export function document(runId: string, told: RunDocument): void {
  listeners.get(runId)?.forEach(listener => listener.document(told));
}
