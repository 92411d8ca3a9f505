import { expect, test } from "vitest";
import { bytes, count, plural, rate } from "./numbers";
import { absolute, ago, span } from "./time";

test("numbers are exact below ten thousand, and what is unknown is no zero", () => {
  expect([count(9_999), count(12_345), count(4_310_000), count(null)]).toEqual([
    "9,999",
    "12.3 k",
    "4.3 M",
    "–",
  ]);
  expect([rate(0), rate(0.4), rate(12_300), rate(undefined)]).toEqual(["0/s", "0.4/s", "12.3 k/s", "–"]);
  expect([bytes(512), bytes(1536), bytes(3 * 2 ** 30)]).toEqual(["512 B", "1.5 KiB", "3.0 GiB"]);
  expect([plural(1, "message"), plural(2, "message")]).toEqual(["1 message", "2 messages"]);
});

test("times have seconds and say their zone", () => {
  const at = Date.UTC(2026, 10, 25, 3, 4, 5);
  expect(absolute(at, "UTC")).toBe("2026-11-25 03:04:05 UTC");
  expect(absolute(at, "local")).toMatch(/^2026-11-2\d \d\d:\d\d:05 [+−]\d\d:\d\d$/);
  expect([span(5_000), span(65_000), span(3_700_000), span(90_000_000)]).toEqual([
    "5 s",
    "1 min 5 s",
    "1 h 1 min",
    "1 d 1 h",
  ]);
  expect([ago(at, at + 500), ago(at, at + 90_000)]).toEqual(["now", "1 min 30 s ago"]);
});
