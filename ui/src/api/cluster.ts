import { queryOptions } from "@tanstack/react-query";
import { api, data, own, type Schemas } from "./client";

export type Cluster = Schemas["Cluster"];
export type Member = Schemas["Member"];
export type Worker = Schemas["WorkerView"];
export type Backlog = Schemas["Backlog"];

/** So often it is asked while the page is looked at. */
export const ASKED_EVERY_MS = 2_000;

/** A question that hangs for so long is given up, so that the next can be asked. */
const GIVEN_UP_MS = 5_000;

/** A page that watches asks again by itself; a question that fails is told at once. */
const watched = { refetchInterval: ASKED_EVERY_MS, retry: false, staleTime: 1_000 } as const;

const until = (signal: AbortSignal) => AbortSignal.any([signal, AbortSignal.timeout(GIVEN_UP_MS)]);

/** The cluster as this node knows it. */
export const clusterQuery = queryOptions({
  queryKey: ["cluster"],
  ...watched,
  queryFn: ({ signal }) => data(api.GET("/api/cluster", { signal: until(signal) })),
});

/** All workers. */
export const workersQuery = queryOptions({
  queryKey: ["workers"],
  ...watched,
  queryFn: ({ signal }) => data(api.GET("/api/workers", { signal: until(signal) })),
});

/** What waits on the disks of nodes. */
export const backlogsQuery = queryOptions({
  queryKey: ["backlogs"],
  ...watched,
  queryFn: ({ signal }) => data(api.GET("/api/backlogs", { signal: until(signal) })),
});

/** A page of the workflows, for who holds them. */
export const leasesQuery = (page: number, limit: number) =>
  queryOptions({
    queryKey: ["workflows", "leases", page, limit],
    ...watched,
    queryFn: ({ signal }) =>
      data(api.GET("/api/workflows", { params: { query: { page, limit } }, signal: until(signal) })),
  });

/** Makes a node the leader. */
export const lead = (name: string) =>
  data(api.POST("/api/cluster/nodes/{name}/lead", { params: { ...own, path: { name } } }));

/** Takes a node out of the cluster. */
export const removeNode = (name: string) =>
  data(api.DELETE("/api/cluster/nodes/{name}", { params: { ...own, path: { name } } }));

/** Lets a worker give its workflows away, or take some again. */
export const setDraining = (id: string, draining: boolean) => {
  const params = { ...own, path: { id } };
  return draining
    ? data(api.POST("/api/workers/{id}/drain", { params }))
    : data(api.POST("/api/workers/{id}/resume", { params }));
};

/** Gives up what waits in a stream whose node does not come back. */
export const declareLost = (body: Schemas["Loss"]) =>
  data(api.POST("/api/backlogs/declare-lost", { params: own, body }));
