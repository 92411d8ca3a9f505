import { api, data, type Schemas } from "./client";

export type LogLine = Schemas["LogLine"];
export type LogLevel = Schemas["LogLevel"];

export const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** What the node narrows its log by. */
export interface LogFilter {
  readonly level?: LogLevel;
  readonly workflow?: string;
}

/** So many lines the node gives at once. */
export const LINES_MAX = 1000;

/** The latest lines of this node, from a number on. */
export function readLogs(filter: LogFilter, from: number): Promise<Schemas["Logs"]> {
  return data(api.GET("/api/logs", { params: { query: { ...filter, from, limit: LINES_MAX } } }));
}

/** The address of the stream that sends lines as they are written. */
export function logStream(filter: LogFilter): string {
  const query = new URLSearchParams({ logs: "true", ...filter });
  return `/api/events?${query.toString()}`;
}
