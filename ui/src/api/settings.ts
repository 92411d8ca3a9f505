import { queryOptions } from "@tanstack/react-query";
import { isLosslessNumber, parse, stringify } from "lossless-json";
import { api, data, own } from "./client";

/** A setting. Numbers in its value keep their digits. */
export interface Setting {
  readonly name: string;
  readonly value: unknown;
  readonly etag: string;
  readonly changed_at: string;
}

/** The tag of a setting that has its default. */
export const DEFAULT_TAG = '"0"';

/** What the node shows instead of a secret. */
const MASK = "$secret";

/** Whether the value as a whole is a secret that is set. */
export function isSecret(value: unknown): boolean {
  return typeof value === "object" && value !== null && MASK in value;
}

/** A value as people edit it: text as it is, everything else as JSON. */
export function shown(value: unknown): { kind: "text" | "json"; text: string } {
  if (typeof value === "string") return { kind: "text", text: value };
  return { kind: "json", text: stringify(value, null, 2) ?? "null" };
}

/** A value in one line, for the list. */
export function brief(value: unknown): string {
  if (typeof value === "string") return value;
  if (isLosslessNumber(value)) return value.toString();
  return stringify(value) ?? "null";
}

/** The document that is sent, byte for byte what was typed where that is JSON. Throws what is wrong with it. */
export function draftOf(kind: "text" | "json", text: string): string {
  if (kind === "text") return `{"value":${JSON.stringify(text)}}`;
  parse(text);
  return `{"value":${text}}`;
}

/** Reads an answer without rounding its numbers. */
export function settingsOf(answer: string): Setting[] {
  return (parse(answer) as { data: Setting[] }).data;
}

export const settingsQuery = queryOptions({
  queryKey: ["settings"],
  queryFn: async () => settingsOf(await data(api.GET("/api/settings", { parseAs: "text" }))),
});

export const databaseQuery = queryOptions({
  queryKey: ["database"],
  queryFn: () => data(api.GET("/api/config/database")),
});

export const nodeQuery = queryOptions({
  queryKey: ["version"],
  queryFn: () => data(api.GET("/api/version")),
});

const based = (name: string, etag: string) => ({
  path: { name },
  header: { "If-Match": etag, ...own.header },
});

export const readSetting = async (name: string): Promise<Setting> => {
  const asked = api.GET("/api/settings/{name}", { params: { path: { name } }, parseAs: "text" });
  return parse(await data(asked)) as Setting;
};

/** Writes a setting; `draft` is of `draftOf`. */
export const saveSetting = (name: string, etag: string, draft: string) =>
  data(
    api.PUT("/api/settings/{name}", {
      params: based(name, etag),
      body: { value: undefined },
      bodySerializer: () => draft,
      headers: { "Content-Type": "application/json" },
      parseAs: "text",
    }),
  );

export const removeSetting = (name: string, etag: string) =>
  data(api.DELETE("/api/settings/{name}", { params: based(name, etag) }));
