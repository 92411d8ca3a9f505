import { queryOptions } from "@tanstack/react-query";
import { api, data, own, type Schemas } from "./client";

export type DeadLetter = Schemas["DeadLetter"];
export type DeadLetterPage = Schemas["DeadLetterPage"];
export type Changed = Schemas["Changed"];
export type Selection = Schemas["Selection"];

/** What the node can narrow dead letters by. */
export interface LetterFilter {
  readonly node?: string;
  readonly sink?: string;
  readonly kind?: string;
  readonly closed?: boolean;
}

interface Piece {
  /** Only numbers from this on. */
  readonly from?: number;
  /** So many of each node at most. */
  readonly limit: number;
}

/** A piece of a workflow's dead letters, from the disks of all nodes that answer. */
export const lettersQuery = (workflow: string, filter: LetterFilter, piece: Piece) =>
  queryOptions({
    queryKey: ["dead-letters", workflow, "list", filter, piece] as const,
    // The page before stays while the next comes; what another filter has found does not.
    placeholderData: (before, asked) =>
      asked?.queryKey[1] === workflow && JSON.stringify(asked.queryKey[3]) === JSON.stringify(filter)
        ? before
        : undefined,
    queryFn: () =>
      data(
        api.GET("/api/workflows/{id}/dead-letters", {
          params: { path: { id: workflow }, query: { ...filter, ...piece } },
        }),
      ),
  });

/** One dead letter with its message, as the text that the node sent: numbers in it keep their digits. */
export const letterQuery = (workflow: string, node: string, seq: number) =>
  queryOptions({
    queryKey: ["dead-letters", workflow, "one", node, seq],
    queryFn: (): Promise<string> =>
      data(
        api.GET("/api/workflows/{id}/dead-letters/{node}/{seq}", {
          params: { path: { id: workflow, node, seq } },
          parseAs: "text",
        }),
      ),
  });

/** What can be done with dead letters. */
export type Action = "replay" | "discard";

/** Puts dead letters back, or drops them. */
export function changeLetters(action: Action, workflow: string, body: Selection): Promise<Changed> {
  const given = { params: { ...own, path: { id: workflow } }, body };
  return action === "replay"
    ? data(api.POST("/api/workflows/{id}/dead-letters/replay", given))
    : data(api.POST("/api/workflows/{id}/dead-letters/discard", given));
}
