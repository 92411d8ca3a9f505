/** Rows of one page of a list. */
export const PAGE_ROWS = 50;

/** Where in a list somebody is; it stands in the address. */
export interface ListSearch {
  page?: number;
  search?: string;
}

/** Reads the place in a list from an address. What makes no sense is left out. */
export function readListSearch(search: Record<string, unknown>): ListSearch {
  const page = Number(search["page"]);
  const text = search["search"];
  return {
    ...(Number.isInteger(page) && page > 1 ? { page } : {}),
    // An address turns what looks like a number into one.
    ...((typeof text === "string" && text !== "") || typeof text === "number"
      ? { search: String(text) }
      : {}),
  };
}

/** What the node is asked for. */
export function pageOf({ page = 1, search }: ListSearch) {
  return { page, limit: PAGE_ROWS, ...(search === undefined ? {} : { search }) };
}
