import { queryOptions } from "@tanstack/react-query";
import { api, data } from "./client";

export interface Found {
  readonly id: string;
  readonly name: string | undefined;
}

/** So many of each kind are offered. */
const LIMIT = 8;

const named = (each: { id: string }): Found => {
  const name = (each as { name?: unknown }).name;
  return { id: each.id, name: typeof name === "string" && name !== "" ? name : undefined };
};

/** Workflows, sources and sinks whose id or name holds what was typed; the node searches. */
export const foundQuery = (search: string) =>
  queryOptions({
    queryKey: ["found", search],
    enabled: search !== "",
    placeholderData: (before) => before,
    queryFn: async () => {
      const params = { query: { search, limit: LIMIT } };
      const [workflows, sources, sinks] = await Promise.all([
        data(api.GET("/api/workflows", { params })),
        data(api.GET("/api/sources", { params })),
        data(api.GET("/api/sinks", { params })),
      ]);
      return {
        workflows: workflows.data.map(named),
        sources: sources.data.map(named),
        sinks: sinks.data.map(named),
      };
    },
  });
