import type { Schemas } from "../api/client";

export type Status = Schemas["WorkflowStatus"];
export type State = Schemas["WorkflowState"];

/**
 * How a workflow stands, as people are told. Colour, shape and word always go together: no state is told by its colour
 * alone.
 */
export type Standing =
  | "running"
  | "idle"
  | "waiting"
  | "retrying"
  | "stalled"
  | "failed"
  | "blocked"
  | "stopped"
  | "starting"
  | "completed"
  | "unknown";

export interface Look {
  /** One character; what screen readers hear is the word. */
  readonly shape: string;
  /** A colour of the theme. */
  readonly color: string;
  /** Filled, or an outline only. */
  readonly filled: boolean;
  /** The higher, the more it needs a person. */
  readonly urgency: number;
}

/** The one table of what states look like. */
export const LOOKS: Readonly<Record<Standing, Look>> = {
  failed: { shape: "✕", color: "red", filled: true, urgency: 9 },
  stalled: { shape: "◆", color: "red", filled: false, urgency: 8 },
  unknown: { shape: "?", color: "gray", filled: false, urgency: 7 },
  retrying: { shape: "↻", color: "yellow", filled: true, urgency: 6 },
  waiting: { shape: "▮▮", color: "yellow", filled: false, urgency: 5 },
  blocked: { shape: "⊘", color: "gray", filled: true, urgency: 4 },
  starting: { shape: "◌", color: "blue", filled: false, urgency: 3 },
  running: { shape: "●", color: "teal", filled: true, urgency: 2 },
  idle: { shape: "○", color: "teal", filled: false, urgency: 1 },
  completed: { shape: "✓", color: "teal", filled: false, urgency: 0 },
  stopped: { shape: "■", color: "gray", filled: false, urgency: 0 },
};

/** Beyond this age nobody can say how things are. */
export const STALE_MS = 10_000;

/** Without a message for so long a workflow that is in order is idle. */
export const IDLE_MS = 60_000;

/** What a verdict is made from. */
export interface Seen {
  /** Whether it is to run. */
  readonly active: boolean;
  readonly status: Status | null | undefined;
  /** When a message last came in, as far as this page has seen it. */
  readonly lastInputMs?: number | undefined;
  /** When a sink last took one while others waited. */
  readonly lastOutputMs?: number | undefined;
  readonly nowMs: number;
}

/** Sinks that say why they do not write. */
export function blockedSinks(status: Status): Status["sinks"] {
  return status.sinks.filter((sink) => sink.blocked != null);
}

/** Messages that the slowest sink has before it. */
export function waitingMessages(status: Status): number {
  return status.sinks.reduce((most, sink) => Math.max(most, sink.backlog), 0);
}

/** Says how a workflow stands. */
export function standing({ active, status, lastInputMs, nowMs }: Seen): Standing {
  if (!status) return active ? "waiting" : "stopped";
  if (status.state === "failed") return "failed";
  if (status.state === "stopped") return active ? "waiting" : "stopped";
  if (status.state === "completed") return "completed";
  if (status.state === "unknown" || nowMs - status.at_ms > STALE_MS) return "unknown";
  if (status.state === "waiting") return "waiting";
  if (status.state === "probing") return status.reason ? "retrying" : "starting";
  const blocked = blockedSinks(status);
  if (blocked.length > 0) return blocked.length === status.sinks.length ? "stalled" : "retrying";
  if (status.state === "draining") return "starting";
  if (waitingMessages(status) === 0 && lastInputMs !== undefined && nowMs - lastInputMs > IDLE_MS)
    return "idle";
  return "running";
}
