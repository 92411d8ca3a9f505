/** What the address of the people page holds. */
export interface PeopleSearch {
  readonly page?: number | undefined;
  readonly search?: string | undefined;
  /** The dialog that is open. */
  readonly open?: Dialog | undefined;
  /** Whom it is about. */
  readonly who?: string | undefined;
}

const DIALOGS = ["add", "change", "password", "remove"] as const;

export type Dialog = (typeof DIALOGS)[number];

const said = (value: unknown): string | undefined =>
  // The router reads digits as a number.
  (typeof value === "string" && value !== "") || typeof value === "number" ? String(value) : undefined;

/**
 * Reads it. What makes no sense is said to be absent, member by member: the router keeps what it was given of members
 * that are not mentioned.
 */
export function peopleSearch(given: Record<string, unknown>): PeopleSearch {
  const page = Number(given["page"]);
  const who = said(given["who"]);
  const open = DIALOGS.find((dialog) => dialog === given["open"]);
  const opens = open === "add" || (open !== undefined && who !== undefined);
  return {
    page: Number.isInteger(page) && page > 1 ? page : undefined,
    search: said(given["search"]),
    open: opens ? open : undefined,
    who: opens && open !== "add" ? who : undefined,
  };
}
