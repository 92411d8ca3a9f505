export const TABS = ["overview", "graph", "versions", "text"] as const;
export type Tab = (typeof TABS)[number];

/** What is looked at of a workflow; it stands in the address. */
export interface WorkflowSearch {
  tab?: Tab;
  /** The two versions that are compared. */
  from?: number;
  to?: number;
}

const version = (value: unknown): number | undefined => {
  const number = Number(value);
  return value !== undefined && Number.isInteger(number) && number > 0 ? number : undefined;
};

/** Reads it from an address. What makes no sense is left out. */
export function readWorkflowSearch(search: Record<string, unknown>): WorkflowSearch {
  const tab = TABS.find((each) => each === search["tab"] && each !== "overview");
  const [from, to] = [version(search["from"]), version(search["to"])];
  return {
    ...(tab ? { tab } : {}),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  };
}
