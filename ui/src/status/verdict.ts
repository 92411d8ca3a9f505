import { count, plural } from "../format/numbers";
import { ago, span } from "../format/time";
import { blockedSinks, standing, waitingMessages, type Seen, type Standing } from "./states";

/** One sentence about a workflow, for somebody who was just woken up. */
export interface Verdict {
  readonly standing: Standing;
  /** The first words: what it does. */
  readonly word: string;
  /** The rest of the sentence: why, how much waits, and what is certain. */
  readonly detail: string;
}

export const WORDS: Readonly<Record<Standing, string>> = {
  running: "Running",
  idle: "Idle",
  waiting: "Waiting",
  retrying: "Retrying",
  stalled: "Stalled",
  failed: "Failed",
  blocked: "Blocked",
  stopped: "Stopped",
  starting: "Starting",
  completed: "Completed",
  unknown: "Unknown",
};

/** Makes the sentence from what the node says: source head, log end, sink cursors. Nothing in it is inferred from a later step. */
export function verdict(seen: Seen): Verdict {
  const kind = standing(seen);
  return { standing: kind, word: WORDS[kind], detail: detail(kind, seen) };
}

function detail(kind: Standing, { status, lastInputMs, nowMs, active }: Seen): string {
  const waiting = status ? waitingMessages(status) : 0;
  const kept = waiting > 0 ? `${plural(waiting, "message")} waiting, none lost` : "nothing waiting";
  switch (kind) {
    case "failed":
      return `${status?.reason ?? "no reason was given"}; ${kept}`;
    case "stalled":
    case "retrying": {
      const [first, ...others] = status ? blockedSinks(status) : [];
      if (!first) return status?.reason ?? "sources and sinks are being asked again";
      const more = others.length > 0 ? ` (and ${plural(others.length, "other sink")})` : "";
      return `sink ${first.id}${more}: ${first.blocked ?? ""}; ${kept}`;
    }
    case "idle":
      return lastInputMs === undefined ? kept : `no input for ${span(nowMs - lastInputMs)}; ${kept}`;
    case "running":
      return waiting > 0 ? `${plural(waiting, "message")} on the way` : "everything is delivered";
    case "unknown":
      return status ? `last heard ${ago(status.at_ms, nowMs)}` : "no node has said how it is";
    case "waiting":
      return status?.reason ?? (active ? "no node runs it yet" : "");
    case "starting":
      return status?.state === "draining"
        ? "intake has stopped, the rest is delivered"
        : "sources and sinks are asked";
    case "completed":
      return "the source has ended, everything is delivered";
    case "stopped":
      return waiting > 0 ? `${count(waiting)} kept for the next start` : "";
    case "blocked":
      return "waits for what comes before it";
  }
}
