import type { Schemas } from "../../api/client";
import { dashboardText } from "../../text/dashboard";

export type Cluster = Schemas["Cluster"];

/** So long a node that is heard may have been silent; the node counts on no longer either. */
const HEARD_MS = 2_000;

export interface Quorum {
  /** Whether somebody should look. */
  readonly alarming: boolean;
  readonly sentence: string;
}

/** Says how many nodes may still be lost, as far as the API says it. */
export function quorum({ members, survives, leader, writable }: Cluster): Quorum {
  const words = dashboardText.cluster;
  const voters = members.filter((member) => member.voter);
  if (voters.length === 0) {
    // Nodes on a database elect nobody; how many of them may be lost is the database's affair.
    const shared = words.shared(members.length);
    return { alarming: !writable, sentence: writable ? shared : `${shared}. ${words.readOnly}` };
  }
  const heard = voters.filter(
    (member) => member.heard_ms_ago != null && member.heard_ms_ago < HEARD_MS,
  ).length;
  const parts =
    voters.length === 1 && members.length === 1
      ? [words.single]
      : [
          words.of(heard, voters.length),
          words.survives(survives),
          leader == null ? words.noLeader : words.leader(leader),
        ];
  const sentence = parts.join(", ");
  return {
    alarming: !writable || heard < voters.length,
    sentence: writable ? sentence : `${sentence}. ${words.readOnly}`,
  };
}
