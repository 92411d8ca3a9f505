/** What the address of the page says. */
export interface ClusterSearch {
  /** Page of the leases; the first is left out. */
  readonly leases?: number;
}

/** Takes over what makes sense of an address. */
export function clusterSearch(search: Record<string, unknown>): ClusterSearch {
  const leases = Number(search["leases"]);
  return Number.isSafeInteger(leases) && leases > 1 ? { leases } : {};
}
