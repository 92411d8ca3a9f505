import { act, renderHook } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { without } from "../../app/address";
import type { Backlog, Cluster, Member } from "../../api/cluster";
import { SILENT_MS, useSilent } from "./useSilent";
import { byNeed, messagesOf, quorum } from "./words";

const member = (name: string, voter = true): Member => ({
  name,
  id: name,
  address: "",
  role: "follower",
  voter,
});
const cluster = (over: Partial<Cluster>): Cluster => ({
  node: "a",
  writable: true,
  survives: 0,
  term: 3,
  members: [member("a"), member("b"), member("c"), member("d", false)],
  ...over,
});

test("the quorum is said in words, and nothing is made up where the store has none", () => {
  expect(quorum(cluster({ survives: 1 }))).toBe("Survives 1 more loss of 3 voters.");
  expect(quorum(cluster({ survives: 0 }))).toMatch(/^Survives no further loss: if one of the 3 voters/);
  expect(quorum(cluster({ members: [member("a")] }))).toMatch(/^One voter/);
  const database = without(cluster({}), "term");
  expect(quorum(database)).toMatch(/no quorum of its own/);
});

const backlog = (stream: string, over: Partial<Backlog>): Backlog => ({
  workflow: "orders",
  stream,
  node: "a",
  stranded: false,
  barred: false,
  ...over,
});

test("what nobody knows is not counted as nothing", () => {
  expect(messagesOf([backlog("s", { messages: 1204 }), backlog("t", {})])).toBe("≥ 1,204");
  expect(messagesOf([backlog("t", {})])).toBe("–");
  expect(messagesOf([backlog("t", { messages: 0 })])).toBe("0");
});

test("stranded streams come first", () => {
  const list = [
    backlog("used", { messages: 9 }),
    backlog("lost", { barred: true, stranded: true }),
    backlog("stranded", { stranded: true }),
  ];
  expect(byNeed(list).map((each) => each.stream)).toEqual(["stranded", "used", "lost"]);
});

test("a node that does not answer is told within three seconds, and not any more when it answers", () => {
  vi.useFakeTimers();
  const { result, rerender } = renderHook(({ at }) => useSilent(at), { initialProps: { at: 1 } });
  act(() => void vi.advanceTimersByTime(2_400));
  expect(result.current).toBe(false);
  act(() => void vi.advanceTimersByTime(400));
  expect(result.current).toBe(true);
  rerender({ at: 2 });
  expect(result.current).toBe(false);
  expect(SILENT_MS).toBeLessThan(3_000);
  vi.useRealTimers();
});
