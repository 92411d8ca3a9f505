import type { AuditFilter } from "../../api/audit";
import { said } from "../../app/address";

/** What the address of the page says; times in milliseconds since 1970. */
export interface AuditSearch {
  readonly user?: string;
  readonly action?: string;
  readonly kind?: string;
  readonly id?: string;
  readonly from?: number;
  readonly until?: number;
}

/** Takes over what makes sense of an address. */
export function auditSearch(search: Record<string, unknown>): AuditSearch {
  const time = (name: "from" | "until") => {
    const ms = search[name];
    return typeof ms === "number" && Number.isSafeInteger(ms) && ms >= 0 ? { [name]: ms } : {};
  };
  return {
    ...said(search, "user"),
    ...said(search, "action"),
    ...said(search, "kind"),
    ...said(search, "id"),
    ...time("from"),
    ...time("until"),
  };
}

/** The same as the node is asked. */
export function filterOf(search: AuditSearch): AuditFilter {
  const { user, action, kind, id, from, until } = search;
  return {
    ...(user === undefined ? {} : { user }),
    ...(action === undefined ? {} : { action }),
    ...(kind === undefined ? {} : { entity_kind: kind }),
    ...(id === undefined ? {} : { entity_id: id }),
    ...(from === undefined ? {} : { from_ms: from }),
    ...(until === undefined ? {} : { until_ms: until }),
  };
}
