import type { DeadLetter, DeadLetterPage } from "../../api/deadLetters";

/** Where a message failed, as the node says it. */
export interface Origin {
  readonly at: string;
  readonly id: string;
}

/** Reads where a message failed. */
export function originOf(letter: DeadLetter): Origin {
  const said = letter.origin as Partial<Origin> | null;
  return { at: said?.at ?? "", id: said?.id ?? "" };
}

/** Dead letters that failed at one place in one way. */
export interface Group {
  readonly key: string;
  readonly origin: Origin;
  readonly kind: string;
  readonly count: number;
  readonly firstMs: number;
  readonly lastMs: number;
  /** The reason of the latest. */
  readonly reason: string;
}

/** Groups by place and kind; the largest first. */
export function groups(letters: readonly DeadLetter[]): Group[] {
  const found = new Map<string, Group>();
  for (const letter of letters) {
    const origin = originOf(letter);
    const key = JSON.stringify([origin.at, origin.id, letter.kind]);
    const known = found.get(key);
    const isLatest = known === undefined || letter.at_ms >= known.lastMs;
    found.set(key, {
      key,
      origin,
      kind: letter.kind,
      count: (known?.count ?? 0) + 1,
      firstMs: Math.min(known?.firstMs ?? letter.at_ms, letter.at_ms),
      lastMs: Math.max(known?.lastMs ?? letter.at_ms, letter.at_ms),
      reason: isLatest ? letter.reason : known.reason,
    });
  }
  return [...found.values()].sort((a, b) => b.count - a.count || b.lastMs - a.lastMs);
}

/** A piece of the list that neither repeats nor leaves out anything, and where the next one begins. */
export interface Piece {
  readonly rows: DeadLetter[];
  readonly next: number | undefined;
}

/**
 * Cuts what several nodes answered to the same range of numbers. Each node counts for itself and stops at the limit, so
 * the range ends where the first of them stopped.
 */
export function piece(page: DeadLetterPage, limit: number): Piece {
  const ends = page.nodes
    .map(({ node }) => page.data.filter((letter) => letter.node === node))
    .filter((letters) => letters.length >= limit)
    .map((letters) => Math.max(...letters.map((letter) => letter.seq)) + 1);
  if (ends.length === 0) return { rows: page.data, next: undefined };
  const next = Math.min(...ends);
  return { rows: page.data.filter((letter) => letter.seq < next), next };
}

/** The name of a dead letter: its node and its number there. */
export function nameOf(letter: { node: string; seq: number }): string {
  return `${letter.node}/${letter.seq}`;
}

/** Nodes that were asked and did not answer. */
export function silent(page: Pick<DeadLetterPage, "nodes">): string[] {
  return page.nodes.filter((node) => !node.answered).map((node) => node.node);
}
