import type { Schemas } from "../api/client";
import { verdict, type Verdict } from "../status/verdict";
import { useNow } from "./clock";
import { useLive, type Pulse } from "./live";

export interface Judged {
  readonly workflow: Schemas["WorkflowView"];
  readonly pulse: Pulse | undefined;
  readonly verdict: Verdict;
}

/** Judges workflows by what was heard last: of the stream, or of the list where the stream has said nothing yet. */
export function useJudged(workflows: readonly Schemas["WorkflowView"][]): Judged[] {
  const pulses = useLive((live) => live.pulses);
  const nowMs = useNow();
  return workflows.map((workflow) => {
    const pulse = pulses[workflow.id];
    const seen = {
      active: workflow.active,
      status: pulse?.status ?? workflow.status,
      lastInputMs: pulse?.lastInputMs,
      nowMs,
    };
    return { workflow, pulse, verdict: verdict(seen) };
  });
}
