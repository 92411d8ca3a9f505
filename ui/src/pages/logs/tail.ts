import type { LogLine } from "../../api/logs";

/** So many lines the page holds; the oldest make room. */
export const HELD_MAX = 5000;

/** The lines that are read, and those that wait until the reader is at the end again. */
export interface Tail {
  readonly lines: readonly LogLine[];
  readonly waiting: readonly LogLine[];
  readonly follows: boolean;
  /** Lines that the node wrote faster than it could send them. */
  readonly missed: number;
  /** The number that the node's next line will get, as far as is known. */
  readonly next: number;
  /** Whether the node was started anew while the page was open: its numbers begin again. */
  readonly restarted: boolean;
}

export const EMPTY: Tail = {
  lines: [],
  waiting: [],
  follows: true,
  missed: 0,
  next: 0,
  restarted: false,
};

function joined(before: readonly LogLine[], more: readonly LogLine[]): readonly LogLine[] {
  const last = before.at(-1)?.sequence ?? -1;
  const fresh = more.filter((line) => line.sequence > last);
  return fresh.length === 0 ? before : [...before, ...fresh];
}

/** Takes over lines. While somebody reads further up, nothing that is shown moves: they wait. */
export function arrived(tail: Tail, more: readonly LogLine[]): Tail {
  const next = Math.max(tail.next, (more.at(-1)?.sequence ?? -1) + 1);
  if (tail.follows) {
    return { ...tail, next, lines: joined(tail.lines, more).slice(-HELD_MAX) };
  }
  const last = tail.lines.at(-1)?.sequence ?? -1;
  const behind = more.filter((line) => line.sequence > last);
  const waiting = joined(tail.waiting, behind);
  const over = Math.max(0, waiting.length - HELD_MAX);
  return { ...tail, next, waiting: waiting.slice(over), missed: tail.missed + over };
}

/** Takes over what the node answered when it was asked for its lines. */
export function caughtUp(tail: Tail, answer: { data: readonly LogLine[]; next: number }): Tail {
  // Numbers that went back are of another start of the node.
  if (answer.next < tail.next) {
    return { ...EMPTY, lines: answer.data, next: answer.next, restarted: true };
  }
  return { ...arrived(tail, answer.data), next: answer.next };
}

/** Shows what has waited, and follows the end again. */
export function resumed(tail: Tail): Tail {
  return {
    ...tail,
    follows: true,
    lines: joined(tail.lines, tail.waiting).slice(-HELD_MAX),
    waiting: [],
  };
}

/** Holds still. */
export function paused(tail: Tail): Tail {
  return { ...tail, follows: false };
}

/** Lines that hold a text, in any letters. */
export function holding(lines: readonly LogLine[], text: string): readonly LogLine[] {
  const wanted = text.toLowerCase();
  if (wanted === "") return lines;
  return lines.filter((line) =>
    `${line.target} ${line.workflow ?? ""} ${line.message}`.toLowerCase().includes(wanted),
  );
}
