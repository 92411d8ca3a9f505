import { queryOptions } from "@tanstack/react-query";
import { api, data, own, versioned, type Schemas } from "./client";

export type Person = Schemas["UserView"];
export type PersonChange = Schemas["UserChange"];
export type Role = Schemas["RoleName"];
export type Token = Schemas["TokenView"];

/** From the least to the most. */
export const ROLES: readonly Role[] = ["Viewer", "Editor", "Administrator"];

/** Roles that somebody of this role may give to a token. */
export function rolesUpTo(mine: Role): readonly Role[] {
  return ROLES.slice(0, ROLES.indexOf(mine) + 1);
}

/** People of one page of the list. */
export const PAGE_SIZE = 50;

export const peopleQuery = (query: { page: number; search?: string | undefined }) =>
  queryOptions({
    queryKey: ["users", query],
    queryFn: () => {
      const { page, search } = query;
      const asked = { page, limit: PAGE_SIZE, ...(search ? { search } : {}) };
      return data(api.GET("/api/users", { params: { query: asked } }));
    },
    placeholderData: (before) => before,
  });

/** A person with the version that a change is based on. */
export const personQuery = (id: string) =>
  queryOptions({
    queryKey: ["user", id],
    queryFn: () => versioned(api.GET("/api/users/{id}", { params: { path: { id } } })),
    staleTime: 0,
    gcTime: 0,
    // A form that is open keeps what it was opened with.
    refetchOnWindowFocus: false,
  });

export const tokensQuery = queryOptions({
  queryKey: ["tokens"],
  queryFn: () => data(api.GET("/api/tokens")),
});

export const addPerson = (body: Schemas["NewUser"]) => data(api.POST("/api/users", { params: own, body }));

const based = (id: string, etag: string) => ({
  path: { id },
  header: { "If-Match": etag, "X-CSRF-Token": "" },
});

export const changePerson = (id: string, etag: string, body: PersonChange) =>
  data(api.PUT("/api/users/{id}", { params: based(id, etag), body }));

export const removePerson = (id: string, etag: string) =>
  data(api.DELETE("/api/users/{id}", { params: based(id, etag) }));

export const resetPassword = (id: string, password: string) =>
  data(api.PUT("/api/users/{id}/password", { params: { ...own, path: { id } }, body: { new: password } }));

export const changePassword = (body: Schemas["PasswordChange"]) =>
  data(api.PUT("/api/me/password", { params: own, body }));

export const logOutEverywhere = () => data(api.POST("/api/logout-everywhere", { params: own }));

export const makeToken = (body: Schemas["NewToken"]) => data(api.POST("/api/tokens", { params: own, body }));

export const revokeToken = (id: string) =>
  data(api.DELETE("/api/tokens/{id}", { params: { ...own, path: { id } } }));
