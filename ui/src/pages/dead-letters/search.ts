import { said } from "../../app/address";
import type { LetterFilter } from "../../api/deadLetters";

/** What the address of the page says. */
export interface LetterSearch extends LetterFilter {
  readonly workflow?: string;
  /** The number from which the list goes on. */
  readonly from?: number;
  /** Which one is open: `NODE/NUMBER`. */
  readonly open?: string | undefined;
}

/** Takes over what makes sense of an address. */
export function letterSearch(search: Record<string, unknown>): LetterSearch {
  const from = Number(search["from"]);
  return {
    ...said(search, "workflow"),
    ...said(search, "node"),
    ...said(search, "sink"),
    ...said(search, "kind"),
    ...(search["closed"] === true ? { closed: true } : {}),
    ...(Number.isSafeInteger(from) && from > 0 ? { from } : {}),
    ...(typeof search["open"] === "string" && /^.+\/\d+$/.test(search["open"])
      ? { open: search["open"] }
      : {}),
  };
}

/** Only what narrows the list. */
export function filterOf({ node, sink, kind, closed }: LetterSearch): LetterFilter {
  return {
    ...(node === undefined ? {} : { node }),
    ...(sink === undefined ? {} : { sink }),
    ...(kind === undefined ? {} : { kind }),
    ...(closed === undefined ? {} : { closed }),
  };
}

/** The node and the number of the one that is open. */
export function opened(open: string | undefined): { node: string; seq: number } | undefined {
  if (open === undefined) return undefined;
  const cut = open.lastIndexOf("/");
  return { node: open.slice(0, cut), seq: Number(open.slice(cut + 1)) };
}
