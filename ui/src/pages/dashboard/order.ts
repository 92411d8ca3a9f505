import type { Judged } from "../../app/verdicts";
import { LOOKS, type Status } from "../../status/states";

/** What stands below each other on the dashboard. */
export interface Groups {
  /** Needs a person, the most urgent first. */
  readonly attention: readonly Judged[];
  readonly inOrder: readonly Judged[];
  /** Stopped on purpose, or completed. */
  readonly notRunning: readonly Judged[];
}

/** From this urgency on a standing is one that somebody should look at. */
const ATTENTION = LOOKS.blocked.urgency;

/** The status that was heard last. */
export function statusOf({ pulse, workflow }: Judged): Status | null | undefined {
  return pulse?.status ?? workflow.status;
}

/** Whether a person should look: for how it stands, or for dead letters, which nobody else will take up. */
export function needsPerson(judged: Judged): boolean {
  return LOOKS[judged.verdict.standing].urgency >= ATTENTION || (statusOf(judged)?.dead_letters ?? 0) > 0;
}

function byUrgency(a: Judged, b: Judged): number {
  const urgency = LOOKS[b.verdict.standing].urgency - LOOKS[a.verdict.standing].urgency;
  const dead = (statusOf(b)?.dead_letters ?? 0) - (statusOf(a)?.dead_letters ?? 0);
  return urgency || dead || a.workflow.id.localeCompare(b.workflow.id);
}

/** Sorts workflows into groups, problems first. */
export function grouped(judged: readonly Judged[]): Groups {
  const sorted = [...judged].sort(byUrgency);
  const calm = sorted.filter((each) => !needsPerson(each));
  const rests = ({ verdict }: Judged) => verdict.standing === "stopped" || verdict.standing === "completed";
  return {
    attention: sorted.filter(needsPerson),
    inOrder: calm.filter((each) => !rests(each)),
    notRunning: calm.filter(rests),
  };
}
