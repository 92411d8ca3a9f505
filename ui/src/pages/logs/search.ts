import { said } from "../../app/address";
import { LEVELS, type LogFilter, type LogLevel } from "../../api/logs";

/** What the address of the page says. */
export interface LogSearch extends LogFilter {
  readonly text?: string;
}

const isLevel = (value: unknown): value is LogLevel => LEVELS.some((level) => level === value);

/** Takes over what makes sense of an address. */
export function logSearch(search: Record<string, unknown>): LogSearch {
  const { level } = search;
  return { ...(isLevel(level) ? { level } : {}), ...said(search, "workflow"), ...said(search, "text") };
}
