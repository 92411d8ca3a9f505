import { expect, test } from "vitest";
import type { LogLine } from "../../api/logs";
import { arrived, caughtUp, EMPTY, HELD_MAX, holding, paused, resumed } from "./tail";

const line = (sequence: number, message = `line ${sequence}`): LogLine => ({
  sequence,
  at_ms: sequence,
  level: "info",
  target: "hermod",
  message,
});
const lines = (from: number, until: number) =>
  Array.from({ length: until - from }, (_, at) => line(from + at));
const numbers = (list: readonly LogLine[]) => list.map((each) => each.sequence);

test("lines hold still while somebody reads, and those that come wait (D17)", () => {
  const reading = paused(arrived(EMPTY, lines(0, 3)));
  const later = arrived(arrived(reading, lines(3, 5)), lines(4, 6));
  expect(later.lines).toBe(reading.lines);
  expect(numbers(later.waiting)).toEqual([3, 4, 5]);
  const again = resumed(later);
  expect(numbers(again.lines)).toEqual([0, 1, 2, 3, 4, 5]);
  expect([again.follows, again.waiting.length]).toEqual([true, 0]);
});

test("what is sent twice is shown once: the stream and the question overlap", () => {
  const tail = caughtUp(arrived(EMPTY, lines(0, 3)), { data: lines(1, 5), next: 5 });
  expect(numbers(tail.lines)).toEqual([0, 1, 2, 3, 4]);
});

test("memory is bounded, and what falls out while waiting is told (D15)", () => {
  expect(arrived(EMPTY, lines(0, HELD_MAX + 5)).lines).toHaveLength(HELD_MAX);
  const waiting = arrived(paused(EMPTY), lines(0, HELD_MAX + 5));
  expect([waiting.waiting.length, waiting.missed]).toEqual([HELD_MAX, 5]);
});

test("a node that was started anew begins its numbers again", () => {
  const before = caughtUp(EMPTY, { data: lines(0, 9), next: 9 });
  const after = caughtUp(before, { data: lines(0, 2), next: 2 });
  expect([numbers(after.lines), after.restarted]).toEqual([[0, 1], true]);
});

test("text is looked for in all that a line says", () => {
  const list = [{ ...line(1, "Sink refuses"), workflow: "orders" }, line(2, "started")];
  expect(numbers(holding(list, "REFUSES"))).toEqual([1]);
  expect(numbers(holding(list, "orders"))).toEqual([1]);
  expect(holding(list, "")).toBe(list);
});
