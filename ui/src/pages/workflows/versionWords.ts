import { workflowText } from "../../text/workflows";

const text = workflowText.version;

/** Which version is saved and which one runs, in words. */
export function versionWords(saved: number, runs: number | null | undefined, active: boolean): string {
  if (runs == null || !active) return text.idle(saved);
  return runs === saved ? text.same(runs) : text.other(runs, saved);
}
