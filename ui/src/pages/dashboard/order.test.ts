import { expect, test } from "vitest";
import type { Judged } from "../../app/verdicts";
import type { Standing, Status } from "../../status/states";
import { WORDS } from "../../status/verdict";
import { grouped } from "./order";

function judged(id: string, standing: Standing, deadLetters: number | null = 0): Judged {
  const status: Status = { workflow: id, state: "running", sinks: [], at_ms: 1, dead_letters: deadLetters };
  return {
    workflow: { id, active: true, version: 1, etag: '"1"', created_at: "", changed_at: "", status },
    pulse: undefined,
    verdict: { standing, word: WORDS[standing], detail: "" },
  };
}

const ids = (list: readonly Judged[]) => list.map((each) => each.workflow.id);

test("problems come first, the worst on top, and what was stopped on purpose is none of them", () => {
  const groups = grouped([
    judged("a-running", "running"),
    judged("b-stopped", "stopped"),
    judged("c-retrying", "retrying"),
    judged("d-failed", "failed"),
    judged("e-stalled", "stalled"),
    judged("f-idle", "idle"),
  ]);
  expect(ids(groups.attention)).toEqual(["d-failed", "e-stalled", "c-retrying"]);
  expect(ids(groups.inOrder)).toEqual(["a-running", "f-idle"]);
  expect(ids(groups.notRunning)).toEqual(["b-stopped"]);
});

test("a workflow that nobody has heard of is a problem, not one that runs (D6)", () => {
  expect(ids(grouped([judged("a", "running"), judged("b", "unknown", null)]).attention)).toEqual(["b"]);
});

test("dead letters need a person although everything else is delivered (D10)", () => {
  const groups = grouped([judged("a", "running", 3), judged("b", "stopped", 7), judged("c", "running")]);
  expect(ids(groups.attention)).toEqual(["a", "b"]);
});
