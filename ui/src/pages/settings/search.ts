/** What the address of the settings page holds. */
export interface SettingsSearch {
  readonly search?: string | undefined;
  readonly open?: "add" | "change" | "remove" | undefined;
  readonly name?: string | undefined;
}

const said = (value: unknown): string | undefined =>
  (typeof value === "string" && value !== "") || typeof value === "number" ? String(value) : undefined;

/** Reads it; what makes no sense is said to be absent, or the router would keep it. */
export function settingsSearch(given: Record<string, unknown>): SettingsSearch {
  const name = said(given["name"]);
  const open = (["add", "change", "remove"] as const).find((dialog) => dialog === given["open"]);
  const opens = open === "add" || (open !== undefined && name !== undefined);
  return {
    search: said(given["search"]),
    open: opens ? open : undefined,
    name: opens && open !== "add" ? name : undefined,
  };
}
