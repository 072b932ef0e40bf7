/** How far each node of a picture is: pending, running, waiting, done, failed. */
import { type RunNode, secondsOf, type ToolItem } from './items';
import type { Topology } from './wire';

export type Status = 'pending' | 'running' | 'waiting' | 'done' | 'failed' | 'skipped' | 'stopped';

/** How far a node is; `seconds` is how long all its visits took. */
export interface NodeState {
  status: Status;
  visits: number;
  seconds: number;
}

const OF_RUNS: Record<RunNode['status'], Status> = {
  asking: 'running',
  answering: 'running',
  finished: 'done',
  limited: 'stopped',
  failed: 'failed',
  stopped: 'stopped'
};
const OF_TOOLS: Record<ToolItem['status'], Status> = {
  writing: 'running',
  running: 'running',
  done: 'done',
  failed: 'failed',
  refused: 'stopped',
  stopped: 'stopped'
};

/** What the picture of a run shows beside the nodes themselves. */
export class States {
  /** The links along which the run went: the ids of their ends. */
  readonly taken = new Map<string, readonly [string, string]>();
  readonly visits = new Map<string, RunNode[]>();
  readonly uses = new Map<string, ToolItem[]>();
  private _answered = 0;

  start(run: RunNode): void {
    push(this.visits, run.path, run);
  }

  use(path: string, tool: ToolItem): void {
    push(this.uses, path, tool);
  }

  /** The run went from one part of a team to another. */
  take(team: string, source: string, target: string): void {
    this._lit(`${team}/${source}`, `${team}/${target}`);
  }

  /** A person was asked, and has answered. */
  answered(asker: string): void {
    this._answered += 1;
    this._lit(asker, 'human');
  }

  /** Tell the state of each node; `now` is in seconds since the epoch. */
  of(topology: Topology, now: number): Map<string, NodeState> {
    const root = this.visits.get(topology.nodes[0]?.id ?? '')?.at(-1);
    const over = root !== undefined && root.ended !== null;
    const states = new Map<string, NodeState>();
    for (const node of topology.nodes) {
      const visits = this.visits.get(node.id);
      const uses = this.uses.get(node.id);
      if (visits) {
        states.set(node.id, visited(visits, now));
      } else if (uses) {
        const seconds = uses.reduce((all, use) => all + use.seconds, 0);
        const status = OF_TOOLS[uses.at(-1)!.status];
        states.set(node.id, { status, visits: uses.length, seconds });
      } else if (node.kind === 'human') {
        const waits = root !== undefined && root.waiting > 0 && !over;
        const status = waits ? 'waiting' : this._answered ? 'done' : 'pending';
        states.set(node.id, { status, visits: this._answered, seconds: 0 });
      } else if (over && node.kind !== 'tool') {
        states.set(node.id, { status: 'skipped', visits: 0, seconds: 0 });
      }
    }
    return states;
  }

  private _lit(source: string, target: string): void {
    this.taken.set(JSON.stringify([source, target]), [source, target]);
  }
}

function visited(visits: RunNode[], now: number): NodeState {
  const underWay = visits.filter(visit => visit.ended === null);
  const last = (underWay.length ? underWay : visits).at(-1)!;
  const waits = underWay.some(visit => visit.waiting > 0);
  const over = visits.filter(visit => visit.ended !== null);
  const seconds = over.reduce((all, visit) => all + secondsOf(visit, now), 0);
  return { status: waits ? 'waiting' : OF_RUNS[last.status], visits: visits.length, seconds };
}

function push<T>(map: Map<string, T[]>, key: string, value: T): void {
  const all = map.get(key);
  if (all) {
    all.push(value);
  } else {
    map.set(key, [value]);
  }
}
