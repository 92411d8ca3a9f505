import type { Changed, LetterFilter, Selection } from "../../api/deadLetters";
import { asProblem, type Problem } from "../../api/problem";
import { nameOf } from "./letters";

/** Which dead letters are meant: some by name, or all that the filter lets through. */
export type Picked = { readonly all: true } | { readonly all: false; readonly names: ReadonlySet<string> };

export const NONE: Picked = { all: false, names: new Set() };

/** A selection with the filter under which it was made. */
export interface Held {
  readonly under: string;
  readonly picked: Picked;
}

/** What is selected now: a selection dies with the filter under which it was made. */
export function living(held: Held, under: string): Picked {
  return held.under === under ? held.picked : NONE;
}

/** Adds or takes away some. From "all" one comes back to those that are shown, less what was taken away. */
export function toggled(
  picked: Picked,
  names: readonly string[],
  on: boolean,
  shown: readonly string[],
): Picked {
  const next = new Set(picked.all ? shown : picked.names);
  for (const name of names) {
    if (on) next.add(name);
    else next.delete(name);
  }
  return { all: false, names: next };
}

export function isPicked(picked: Picked, name: string): boolean {
  return picked.all || picked.names.has(name);
}

/** What is asked of one node. */
export interface Order {
  readonly node: string;
  readonly selection: Selection;
}

/** So many numbers a node takes at once. */
const SEQS_MAX = 10_000;

/** Makes one order for each node, so that what comes of it is known per node. */
export function orders(picked: Picked, filter: LetterFilter, nodes: readonly string[]): Order[] {
  if (picked.all) {
    const { sink, kind } = filter;
    const narrowed = {
      ...(sink === undefined ? {} : { sink }),
      ...(kind === undefined ? {} : { kind }),
    };
    const asked = filter.node === undefined ? nodes : [filter.node];
    return asked.map((node) => ({ node, selection: { node, all: true, ...narrowed } }));
  }
  const byNode = new Map<string, number[]>();
  for (const name of picked.names) {
    const cut = name.lastIndexOf("/");
    const node = name.slice(0, cut);
    byNode.set(node, [...(byNode.get(node) ?? []), Number(name.slice(cut + 1))]);
  }
  return [...byNode].flatMap(([node, seqs]) => {
    seqs.sort((a, b) => a - b);
    const chunks = Array.from({ length: Math.ceil(seqs.length / SEQS_MAX) }, (_, at) =>
      seqs.slice(at * SEQS_MAX, (at + 1) * SEQS_MAX),
    );
    return chunks.map((chunk) => ({ node, selection: { node, seqs: chunk, all: false } }));
  });
}

/** What came of an order. */
export interface Outcome {
  readonly node: string;
  /** What the node says; `undefined` where it has not said it. */
  readonly changed: Changed | undefined;
  readonly problem: Problem | undefined;
}

/** Whether the node has said what it did. */
export function answered(outcome: Outcome): boolean {
  const said = outcome.changed;
  return said !== undefined && said.nodes.every((node) => node.node !== outcome.node || node.answered);
}

/** Carries out orders one after the other, and goes on where one fails. Ends early when `stopped` says so. */
export async function carryOut(
  list: readonly Order[],
  send: (selection: Selection) => Promise<Changed>,
  told: (outcomes: readonly Outcome[]) => void,
  stopped: () => boolean,
): Promise<readonly Outcome[]> {
  let outcomes: readonly Outcome[] = [];
  for (const { node, selection } of list) {
    if (stopped()) break;
    try {
      outcomes = [...outcomes, { node, changed: await send(selection), problem: undefined }];
    } catch (error) {
      outcomes = [...outcomes, { node, changed: undefined, problem: asProblem(error) }];
    }
    told(outcomes);
  }
  return outcomes;
}

/** The names of what is shown. */
export function namesOf(letters: readonly { node: string; seq: number }[]): string[] {
  return letters.map(nameOf);
}
