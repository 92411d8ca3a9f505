import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { isObject, parseExact, printExact, without, type JsonObject } from "../format/exact";
import { api, data, own, versioned, type Schemas } from "./client";

/** Which end of workflows. */
export type Side = "sources" | "sinks";
export type Connection = Schemas["ConnectionView"];
export type Connector = Schemas["Connector"];
export type Probe = Schemas["Probe"];

/** What is asked for at either end; the operations are the same. */
const PATHS = {
  sources: {
    all: "/api/sources",
    one: "/api/sources/{id}",
    users: "/api/sources/{id}/workflows",
    test: "/api/sources/test",
  },
  sinks: {
    all: "/api/sinks",
    one: "/api/sinks/{id}",
    users: "/api/sinks/{id}/workflows",
    test: "/api/sinks/test",
  },
} as const;

/** The operations of either end, as `capabilities` names them. */
export const OPERATIONS = {
  sources: {
    create: "createSource",
    update: "updateSource",
    delete: "deleteSource",
    test: "testSource",
  },
  sinks: { create: "createSink", update: "updateSink", delete: "deleteSink", test: "testSink" },
} as const;

/** A source or sink as it was read, with the version that a change is based on. */
export interface HeldConnection {
  readonly document: JsonObject;
  readonly etag: string;
  readonly changedAt: string;
}

const ADDED = ["etag", "created_at", "changed_at"];

function held(text: string, etag: string): HeldConnection {
  const exact = parseExact(text);
  const whole = isObject(exact) ? exact : {};
  const changedAt = typeof whole["changed_at"] === "string" ? whole["changed_at"] : "";
  return { document: without(whole, ADDED), etag, changedAt };
}

export const connectorsQuery = queryOptions({
  queryKey: ["connectors"],
  staleTime: Infinity,
  queryFn: async () => (await data(api.GET("/api/connectors"))).data,
});

export const connectionsQuery = (side: Side, query: { page: number; limit: number; search?: string }) =>
  queryOptions({
    queryKey: [side, "page", query],
    placeholderData: keepPreviousData,
    queryFn: () => data(api.GET(PATHS[side].all, { params: { query } })),
  });

export async function readConnection(side: Side, id: string): Promise<HeldConnection> {
  const asked = api.GET(PATHS[side].one, { params: { path: { id } }, parseAs: "text" });
  const { document, etag } = await versioned<string>(asked);
  return held(document, etag);
}

export const connectionQuery = (side: Side, id: string) =>
  queryOptions({ queryKey: [side, "one", id], queryFn: () => readConnection(side, id) });

export const usersQuery = (side: Side, id: string) =>
  queryOptions({
    queryKey: [side, "one", id, "workflows"],
    queryFn: async () => (await data(api.GET(PATHS[side].users, { params: { path: { id } } }))).workflows,
  });

/** A body that goes out as it was written, digit by digit. */
const asWritten = (document: JsonObject) => ({
  body: printExact(document) as never,
  bodySerializer: (body: unknown) => body as string,
});

const matching = (etag: string) => ({ header: { ...own.header, "If-Match": etag } });

export const createConnection = (side: Side, document: JsonObject) =>
  data(api.POST(PATHS[side].all, { params: own, ...asWritten(document) }));

/** Saves a change on top of the version that it is based on; refused with 412 if there is a later one. */
export const updateConnection = (side: Side, id: string, document: JsonObject, etag: string) =>
  data(
    api.PUT(PATHS[side].one, {
      params: { path: { id }, ...matching(etag) },
      ...asWritten(document),
    }),
  );

export const deleteConnection = (side: Side, id: string, etag: string) =>
  data(api.DELETE(PATHS[side].one, { params: { path: { id }, ...matching(etag) } }));

/** Tries what stands in the form; secrets that are not typed anew are those that are kept. */
export const testConnection = (side: Side, document: JsonObject) =>
  data(api.POST(PATHS[side].test, { params: own, ...asWritten(document) }));
