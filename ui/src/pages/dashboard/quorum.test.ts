import { expect, test } from "vitest";
import { quorum, type Cluster } from "./quorum";

const member = (name: string, heard: number | null, voter = true) => ({
  name,
  id: name,
  address: "",
  role: "follower",
  voter,
  heard_ms_ago: heard,
});

const cluster = (over: Partial<Cluster>): Cluster => ({
  node: "a",
  leader: "a",
  writable: true,
  survives: 1,
  members: [member("a", 0), member("b", 90), member("c", 120)],
  ...over,
});

test("a quorum is told in words", () => {
  expect(quorum(cluster({}))).toEqual({
    alarming: false,
    sentence: "3 of 3 nodes, survives 1 more loss, led by a",
  });
});

test("a node that nobody hears is not counted on, and what is not known is not heard (D6)", () => {
  const members = [member("a", 0), member("b", 9_000), member("c", null)];
  const said = quorum(cluster({ members, survives: 0, leader: null, writable: false }));
  expect(said.alarming).toBe(true);
  expect(said.sentence).toContain(
    "1 of 3 nodes, survives no loss, no leader is known. Nothing can be changed",
  );
});

test("one node alone, and nodes on a database, claim no quorum", () => {
  expect(quorum(cluster({ members: [member("a", 0)], survives: 0 })).sentence).toContain("1 node");
  const shared = cluster({
    leader: null,
    survives: 0,
    members: [member("a", 0, false), member("b", 5, false)],
  });
  expect(quorum(shared)).toEqual({ alarming: false, sentence: "2 nodes on one database" });
});
