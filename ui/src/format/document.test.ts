import { expect, test } from "vitest";
import { diffLines, excerpt } from "./diff";
import { isObject, parseExact, printExact, scalar } from "./exact";
import { below, placeOf } from "./place";

test("numbers keep their digits on the way through an editor (D13)", () => {
  const text = '{\n  "id": 9007199254740993,\n  "price": 12.50,\n  "big": 1E400\n}';
  const value = parseExact(text);
  expect(printExact(value)).toBe(text);
  expect(isObject(value) && scalar(value["id"])).toBe("9007199254740993");
  expect(isObject(isObject(value) && value["id"])).toBe(false);
});

test("a comparison names what is gone, what is new and what stayed", () => {
  const lines = diffLines("a\nb\nc\nd", "a\nc\nx\nd");
  expect(lines.map((line) => `${line.kind} ${line.text}`)).toEqual([
    "same a",
    "gone b",
    "same c",
    "new x",
    "same d",
  ]);
  expect(lines.map((line) => [line.before, line.after])).toEqual([
    [1, 1],
    [2, undefined],
    [3, 2],
    [undefined, 3],
    [4, 4],
  ]);
  expect(diffLines("a", "a").every((line) => line.kind === "same")).toBe(true);
});

test("far from a change lines are left out", () => {
  const before = Array.from({ length: 30 }, (_, at) => `line ${at}`);
  const after = before.with(15, "other");
  const shown = excerpt(diffLines(before.join("\n"), after.join("\n")));
  expect(shown[0]).toBeNull();
  expect(shown.at(-1)).toBeNull();
  expect(shown).toHaveLength(2 + 2 + 6);
});

test("a pointer is found in the text, or what is around it", () => {
  const text = '{\n  "nodes": [\n    {"id": "a/b"},\n    {"id": "c", "x~": 1}\n  ]\n}';
  const shown = (pointer: string) => {
    const place = placeOf(text, pointer);
    return place && `${place.line} ${text.slice(place.from, place.to)}`;
  };
  expect(shown("/nodes/0/id")).toBe('3 "a/b"');
  expect(shown(below("/nodes/1", "x~"))).toBe("4 1");
  expect(shown("/nodes/1/missing")).toBe('4 {"id": "c", "x~": 1}');
  expect(placeOf("{", "/a")).toBeUndefined();
});
