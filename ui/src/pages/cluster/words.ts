import type { Backlog, Cluster } from "../../api/cluster";
import { grouped } from "../../format/numbers";
import { cluster as words } from "../../text/cluster";

/** Says in words how many losses the cluster survives. */
export function quorum(cluster: Cluster): string {
  if (cluster.term == null) return words.noQuorum;
  const voters = cluster.members.filter((member) => member.voter).length;
  return voters === 1 ? words.single : words.survives(cluster.survives, voters);
}

/** Whether the nodes keep the store themselves, so that one can be made leader or taken out. */
export function isGroup(cluster: Cluster): boolean {
  return cluster.term != null;
}

/** How a stream stands. */
export function standingOf(backlog: Backlog): "barred" | "stranded" | "inUse" {
  if (backlog.barred) return "barred";
  return backlog.stranded ? "stranded" : "inUse";
}

/** All messages of some streams; a number that nobody knows makes the sum a lower bound. */
export function messagesOf(backlogs: readonly Backlog[]): string {
  const known = backlogs.flatMap((backlog) => backlog.messages ?? []);
  if (known.length === 0 && backlogs.length > 0) return "–";
  const sum = grouped(known.reduce((all, each) => all + each, 0));
  return known.length < backlogs.length ? `≥ ${sum}` : sum;
}

const ORDER = { stranded: 0, inUse: 1, barred: 2 } as const;

/** Those that need a person first. */
export function byNeed(backlogs: readonly Backlog[]): Backlog[] {
  return [...backlogs].sort(
    (a, b) =>
      ORDER[standingOf(a)] - ORDER[standingOf(b)] ||
      (b.messages ?? 0) - (a.messages ?? 0) ||
      a.stream.localeCompare(b.stream),
  );
}
