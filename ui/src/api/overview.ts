import { queryOptions } from "@tanstack/react-query";
import { api, data, type Schemas } from "./client";

const PAGE = 200;

/** All workflows: a problem on the last page is a problem too. The node keeps some thousands at most. */
export const allWorkflowsQuery = queryOptions({
  queryKey: ["workflows", "all"],
  queryFn: async () => {
    const all: Schemas["WorkflowView"][] = [];
    for (let page = 1; ; page += 1) {
      const query = { page, limit: PAGE };
      const part = await data(api.GET("/api/workflows", { params: { query } }));
      all.push(...part.data);
      if (part.data.length === 0 || all.length >= part.total) return all;
    }
  },
  // How they are is streamed; which there are is asked now and then.
  refetchInterval: 15_000,
});

export const clusterQuery = queryOptions({
  queryKey: ["cluster"],
  queryFn: () => data(api.GET("/api/cluster")),
  refetchInterval: 5_000,
});

export const backlogsQuery = queryOptions({
  queryKey: ["backlogs"],
  queryFn: () => data(api.GET("/api/backlogs")),
  refetchInterval: 15_000,
});
