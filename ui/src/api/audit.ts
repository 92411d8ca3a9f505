import { infiniteQueryOptions } from "@tanstack/react-query";
import { isLosslessNumber, parse } from "lossless-json";
import { api, data } from "./client";

/** What the node narrows its journal by. */
export interface AuditFilter {
  readonly user?: string;
  readonly action?: string;
  readonly entity_kind?: string;
  readonly entity_id?: string;
  readonly from_ms?: number;
  readonly until_ms?: number;
}

/** An entry of the journal. Numbers in its details keep their digits. */
export interface AuditEntry {
  readonly sequence: number;
  readonly at: string;
  readonly user: string;
  readonly action: string;
  readonly entity_kind: string;
  readonly entity_id: string;
  readonly details: unknown;
}

export interface AuditPage {
  readonly data: readonly AuditEntry[];
  readonly next: number | undefined;
}

interface Read {
  data: (Omit<AuditEntry, "sequence"> & { sequence: unknown })[];
  next?: unknown;
}

const number = (value: unknown): number => Number(isLosslessNumber(value) ? value.value : value);

/** Reads a page of the journal without rounding what stands in details. */
export function auditPage(text: string): AuditPage {
  const read = parse(text) as Read;
  return {
    data: read.data.map((entry) => ({ ...entry, sequence: number(entry.sequence) })),
    next: read.next == null ? undefined : number(read.next),
  };
}

/** The journal, newest first; each page begins where the one before ended. */
export const auditQuery = (filter: AuditFilter) =>
  infiniteQueryOptions({
    queryKey: ["audit", filter],
    initialPageParam: undefined as number | undefined,
    queryFn: async ({ pageParam }) => {
      const before = pageParam === undefined ? {} : { before: pageParam };
      const query = { ...filter, ...before, limit: 100 };
      const text: string = await data(api.GET("/api/audit", { params: { query }, parseAs: "text" }));
      return auditPage(text);
    },
    getNextPageParam: (page) => page.next,
    // Reading on must not be thrown back by a window that gets the focus.
    refetchOnWindowFocus: false,
    staleTime: 60_000,
  });
