import { queryOptions } from "@tanstack/react-query";
import { api, data } from "./client";

/** One page of the workflows. */
export const workflowsQuery = (query: { page?: number; limit?: number; search?: string } = {}) =>
  queryOptions({
    queryKey: ["workflows", query],
    queryFn: () => data(api.GET("/api/workflows", { params: { query } })),
  });
