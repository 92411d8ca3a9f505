import { expect, test, vi } from "vitest";
import type { Changed } from "../../api/deadLetters";
import { Problem } from "../../api/problem";
import { answered, carryOut, isPicked, living, NONE, orders, toggled } from "./selection";

const names = (...list: string[]) => ({ all: false as const, names: new Set(list) });

test("a selection dies with its filter (D16)", () => {
  const held = { under: '{"kind":"rejected"}', picked: { all: true as const } };
  expect(living(held, '{"kind":"rejected"}')).toEqual({ all: true });
  expect(living(held, "{}")).toEqual(NONE);
});

test("all that match is not the page, and taking one away leaves the page (D16)", () => {
  expect(isPicked({ all: true }, "a/9999")).toBe(true);
  expect(toggled({ all: true }, ["a/1"], false, ["a/1", "a/2"])).toEqual(names("a/2"));
  expect(toggled(names("a/1"), ["b/7"], true, [])).toEqual(names("a/1", "b/7"));
});

test("each node gets an order of its own, so that what came of it is known per node (D16)", () => {
  expect(orders({ all: true }, { sink: "pg", kind: "rejected" }, ["a", "b"])).toEqual([
    { node: "a", selection: { node: "a", all: true, sink: "pg", kind: "rejected" } },
    { node: "b", selection: { node: "b", all: true, sink: "pg", kind: "rejected" } },
  ]);
  expect(orders({ all: true }, { node: "b" }, ["a", "b"]).map((order) => order.node)).toEqual(["b"]);
  expect(orders(names("a/10", "b/1", "a/9"), {}, ["a", "b"])).toEqual([
    { node: "a", selection: { node: "a", seqs: [9, 10], all: false } },
    { node: "b", selection: { node: "b", seqs: [1], all: false } },
  ]);
  const many = Array.from({ length: 10_001 }, (_, seq) => `a/${seq}`);
  expect(orders(names(...many), {}, []).map((order) => order.selection.seqs?.length)).toEqual([10_000, 1]);
});

const said = (node: string, hasAnswered = true): Changed => ({
  changed: 3,
  skipped: 1,
  failed: 0,
  nodes: [{ node, answered: hasAnswered }],
});

test("a node that fails does not keep the others from being asked, and is told (D16)", async () => {
  const send = vi
    .fn<() => Promise<Changed>>()
    .mockRejectedValueOnce(Problem.unreachable())
    .mockResolvedValueOnce(said("b", false))
    .mockResolvedValueOnce(said("c"));
  const outcomes = await carryOut(
    orders({ all: true }, {}, ["a", "b", "c"]),
    send,
    () => undefined,
    () => false,
  );
  expect(outcomes.map((outcome) => [outcome.node, answered(outcome)])).toEqual([
    ["a", false],
    ["b", false],
    ["c", true],
  ]);
});

test("it can be ended between two nodes", async () => {
  let isStopped = false;
  const outcomes = await carryOut(
    orders({ all: true }, {}, ["a", "b"]),
    () => Promise.resolve(said("a")),
    () => (isStopped = true),
    () => isStopped,
  );
  expect(outcomes.map((outcome) => outcome.node)).toEqual(["a"]);
});
