import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { parseExact, printExact, isObject, without, type JsonObject } from "../format/exact";
import { api, data, own, versioned, type Schemas } from "./client";
import { Problem } from "./problem";
import { workflowsQuery } from "./queries";

export type Workflow = Schemas["WorkflowView"];
export type Version = Schemas["VersionView"];
export type Findings = Schemas["Findings"];

/** Members that the node adds, and `active`, which start and stop say. None of them is part of what is edited. */
const ADDED = [
  "etag",
  "created_at",
  "changed_at",
  "owner_id",
  "owner",
  "lease_until",
  "epoch",
  "status",
  "version",
  "active",
];

/** A workflow as it was read: what it shows, what it says, and the version that a change is based on. */
export interface Held {
  readonly view: Workflow;
  /** The document, numbers as they were written. */
  readonly document: JsonObject;
  readonly text: string;
  readonly etag: string;
}

/** One page of the list, kept on screen while the next one comes. */
export const workflowPageQuery = (query: { page: number; limit: number; search?: string }) =>
  queryOptions({ ...workflowsQuery(query), placeholderData: keepPreviousData, refetchInterval: 10_000 });

/** Makes what is edited from what was answered. */
export function held(text: string, etag: string): Held {
  const exact = parseExact(text);
  const document = isObject(exact) ? without(exact, ADDED) : {};
  return { view: JSON.parse(text) as Workflow, document, text: printExact(document), etag };
}

/** Reads one workflow. */
export async function readWorkflow(id: string): Promise<Held> {
  const asked = api.GET("/api/workflows/{id}", { params: { path: { id } }, parseAs: "text" });
  const { document, etag } = await versioned<string>(asked);
  return held(document, etag);
}

export const workflowQuery = (id: string) =>
  queryOptions({
    queryKey: ["workflow", id],
    queryFn: () => readWorkflow(id),
    refetchInterval: 5_000,
  });

export const versionsQuery = (id: string) =>
  queryOptions({
    queryKey: ["workflow", id, "versions"],
    queryFn: () => data(api.GET("/api/workflows/{id}/versions", { params: { path: { id } } })),
  });

/** The document of a version as text. It never changes. */
export const versionQuery = (id: string, version: number) =>
  queryOptions({
    queryKey: ["workflow", id, "versions", version],
    staleTime: Infinity,
    queryFn: async () => {
      const params = { path: { id, version } };
      const text = await data<string>(
        api.GET("/api/workflows/{id}/versions/{version}", { params, parseAs: "text" }),
      );
      const exact = parseExact(text);
      const document = isObject(exact) ? exact["document"] : undefined;
      return isObject(document) ? printExact(without(document, ADDED)) : "";
    },
  });

export const findingsQuery = (id: string, etag: string) =>
  queryOptions({
    queryKey: ["workflow", id, "findings", etag],
    queryFn: () => data(api.GET("/api/workflows/{id}/validate", { params: { path: { id } } })),
  });

/** A body that goes out as it was written, digit by digit. */
const asWritten = (text: string) => ({
  body: text as never,
  bodySerializer: (body: unknown) => body as string,
});

const matching = (etag: string) => ({ header: { ...own.header, "If-Match": etag } });

export const startWorkflow = (id: string) =>
  data(api.POST("/api/workflows/{id}/start", { params: { path: { id }, ...own } }));

export const stopWorkflow = (id: string) =>
  data(api.POST("/api/workflows/{id}/stop", { params: { path: { id }, ...own } }));

/** Saves a document on top of the version that it is based on; refused with 412 if there is a later one. */
export async function saveWorkflow(id: string, text: string, etag: string, message: string): Promise<Held> {
  const query = message === "" ? {} : { message };
  const asked = api.PUT("/api/workflows/{id}", {
    params: { path: { id }, query, ...matching(etag) },
    ...asWritten(text),
    parseAs: "text",
  });
  const saved = await versioned<string>(asked);
  return held(saved.document, saved.etag);
}

/**
 * Saves an edit. A start or stop in between is a new version of the object, but not of what it says: the edit goes on
 * top of it. Any other change is a conflict.
 */
export async function saveEdit(edit: {
  id: string;
  base: string;
  text: string;
  etag: string;
  message: string;
}): Promise<Held> {
  try {
    return await saveWorkflow(edit.id, edit.text, edit.etag, edit.message);
  } catch (error) {
    if (!(error instanceof Problem) || !error.isConflict) throw error;
    const theirs = await readWorkflow(edit.id);
    if (theirs.text !== edit.base) throw error;
    return saveWorkflow(edit.id, edit.text, theirs.etag, edit.message);
  }
}

export const rollBack = (id: string, version: number, etag: string) =>
  data(
    api.POST("/api/workflows/{id}/rollback/{version}", {
      params: { path: { id, version }, ...matching(etag) },
    }),
  );

export const deleteWorkflow = (id: string, etag: string, discard: boolean) =>
  data(
    api.DELETE("/api/workflows/{id}", { params: { path: { id }, query: { discard }, ...matching(etag) } }),
  );

/** Everything that is wrong with a bundle, and what people should know of it. */
export const validateBundle = (text: string) =>
  data(api.POST("/api/workflows/validate", { params: own, ...asWritten(text) }));

export const importBundle = (text: string, replace: boolean) =>
  data(api.POST("/api/workflows/import", { params: { query: { replace }, ...own }, ...asWritten(text) }));

/** A workflow with its sources and sinks, without secrets, as text. */
export const exportBundle = async (id: string): Promise<string> => {
  const asked = api.GET("/api/workflows/{id}/export", { params: { path: { id } }, parseAs: "text" });
  return printExact(parseExact(await data<string>(asked)));
};
