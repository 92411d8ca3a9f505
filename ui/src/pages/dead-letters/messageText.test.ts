import { expect, test } from "vitest";
import { indented, memberText, preview, PREVIEW_CHARS_MAX } from "./messageText";

const LETTER =
  '{"node":"a","origin":{"at":"sink","id":"x"},"message": {"id":"7","payload":{"n":9007199254740993,"f":1.10,"e":"\\u00e9 \\"{[,:","x":[],"x":{ }}} ,"seq":3}';

test("the text of a message is what the node sent, digit for digit (D13)", () => {
  const message = memberText(LETTER, "message") ?? "";
  expect(message).toBe(
    '{"id":"7","payload":{"n":9007199254740993,"f":1.10,"e":"\\u00e9 \\"{[,:","x":[],"x":{ }}}',
  );
  expect(memberText(LETTER, "seq")).toBe("3");
  expect(memberText(LETTER, "node")).toBe('"a"');
  expect(memberText(LETTER, "absent")).toBeUndefined();
  expect(memberText("[]", "message")).toBeUndefined();
});

test("indentation adds white space and changes no token (D13)", () => {
  const message = memberText(LETTER, "message") ?? "";
  const shown = indented(message);
  expect(shown.split("\n")).toContain('    "n": 9007199254740993,');
  expect(shown.split("\n")).toContain('    "f": 1.10,');
  const bare = (json: string) => json.replace(/("(?:\\.|[^"\\])*")|\s+/g, (_, text?: string) => text ?? "");
  expect(bare(shown)).toBe(bare(message));
});

test("of a large message 64 KiB are shown, and never half a character (D14)", () => {
  const large = `${"a".repeat(PREVIEW_CHARS_MAX - 1)}😀 and more`;
  expect(preview(large)).toBe("a".repeat(PREVIEW_CHARS_MAX - 1));
  expect(preview("short")).toBe("short");
  // What is cut off may end anywhere, also within a string.
  expect(indented('{"a":["b\\')).toBe('{\n  "a": [\n    "b\\');
});
