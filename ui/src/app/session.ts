import { queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, data, own, setCsrf, type Schemas } from "../api/client";
import { asProblem } from "../api/problem";
import { closeStream } from "./live";

export type Me = Schemas["Me"];

/** Who is logged in; `null` is nobody. */
export const meQuery = queryOptions({
  queryKey: ["me"],
  staleTime: 60_000,
  queryFn: async (): Promise<Me | null> => {
    try {
      const me = await data(api.GET("/api/me"));
      setCsrf(me.csrf_token);
      return me;
    } catch (error) {
      if (asProblem(error).status === 401) return null;
      throw error;
    }
  },
});

/** Whether there is no administrator yet. */
export const setupQuery = queryOptions({
  queryKey: ["setup"],
  queryFn: () => data(api.GET("/api/setup")),
});

/** Who is logged in, on pages that nobody else sees. */
export function useMe(): Me {
  const { data: me } = useQuery(meQuery);
  if (!me) throw new Error("this page is for those who are logged in");
  return me;
}

/** Whether the caller may use an operation: one answer of the node for buttons, menus, shortcuts and addresses. */
export function useMay(): (operation: string) => boolean {
  const { data: me } = useQuery(meQuery);
  return (operation) => me?.capabilities.includes(operation) ?? false;
}

/** Ends the session, and forgets what was seen in it. */
export function useLogOut(): () => Promise<void> {
  const client = useQueryClient();
  return async () => {
    await data(api.POST("/api/logout", { params: own }));
    closeStream();
    setCsrf("");
    client.clear();
  };
}
