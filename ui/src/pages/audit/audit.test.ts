import { stringify } from "lossless-json";
import { expect, test } from "vitest";
import { auditPage } from "../../api/audit";
import { changes, detailsOf } from "./changes";
import { givenTime } from "./givenTime";
import { auditSearch } from "./search";

const PAGE =
  '{"data":[{"sequence":7,"at":"2026-11-25T03:04:05Z","user":"ann","action":"sink.update","entity_kind":"sink","entity_id":"pg","details":{"before":{"id":9007199254740993,"x":[1,2]},"after":{"id":9007199254740995,"x":[1,3,4],"n/a":null},"address":"10.0.0.1"}}],"next":7}';

test("numbers in details keep their digits, in the list and in the export (D13)", () => {
  const page = auditPage(PAGE);
  expect([page.data[0]?.sequence, page.next]).toEqual([7, 7]);
  expect(stringify({ data: page.data, next: page.next })).toBe(PAGE);
  expect(detailsOf(page.data[0]?.details)).toEqual({
    changed: [
      { pointer: "/id", was: "9007199254740993", is: "9007199254740995" },
      { pointer: "/x/1", was: "2", is: "3" },
      { pointer: "/x/2", was: undefined, is: "4" },
      { pointer: "/n~1a", was: undefined, is: "null" },
    ],
    hasBefore: true,
    hasAfter: true,
    others: [],
    address: "10.0.0.1",
  });
});

test("a value beside its former one is a change; the rest is said as it is", () => {
  const details = detailsOf({ role_before: "Viewer", role: "Editor", disabled: false, reason: "gone" });
  expect(details.changed).toEqual([{ pointer: "/role", was: '"Viewer"', is: '"Editor"' }]);
  expect(details.others).toEqual([
    ["disabled", "false"],
    ["reason", "gone"],
  ]);
  expect(detailsOf(null).others).toEqual([]);
});

test("a list that became an object is one change", () => {
  expect(changes({ a: [1] }, { a: { 0: 1 } })).toEqual([{ pointer: "/a", was: "[1]", is: '{"0":1}' }]);
});

test("times are taken as RFC 3339, as pages show them, and as seconds since 1970", () => {
  const at = Date.UTC(2026, 10, 25, 3, 4, 5);
  for (const text of [
    "2026-11-25T03:04:05Z",
    "2026-11-25 03:04:05 UTC",
    "2026-11-25T04:04:05+01:00",
    "2026-11-25 02:04:05 −01:00",
    String(at / 1000),
    String(at),
    "2026-11-25 03:04:05",
  ]) {
    expect([text, givenTime(text, "UTC")]).toEqual([text, at]);
  }
  expect(givenTime("2026-11-25", "UTC")).toBe(Date.UTC(2026, 10, 25));
  expect(givenTime("2026-11-25", "local")).toBe(new Date(2026, 10, 25).getTime());
  for (const text of ["yesterday", "2026-02-30", "2026-11-25 25:00", ""])
    expect([text, givenTime(text, "UTC")]).toEqual([text, undefined]);
});

test("an address is taken over as far as it makes sense", () => {
  expect(auditSearch({ user: "ann", id: 7, from: 1, until: "x", kind: "" })).toEqual({
    user: "ann",
    id: "7",
    from: 1,
  });
});
