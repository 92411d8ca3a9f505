import { expect, test } from "vitest";
import { brief, draftOf, isSecret, settingsOf, shown } from "./settings";

const answer = `{"data":[{"name":"limit","value":12345678901234567890,"etag":"\\"3\\"","changed_at":"2026-01-01T00:00:00Z"},
{"name":"smtp.password","value":{"$secret":"set"},"etag":"\\"4\\"","changed_at":"2026-01-01T00:00:00Z"}]}`;

test("a number of 64 bits goes through the editor without losing a digit (D13)", () => {
  const [limit] = settingsOf(answer);
  expect(brief(limit?.value)).toBe("12345678901234567890");
  const edited = shown(limit?.value);
  expect(draftOf(edited.kind, edited.text)).toBe('{"value":12345678901234567890}');
});

test("a secret is known as one, and its mask is never offered as its value (D12)", () => {
  const [limit, secret] = settingsOf(answer);
  expect([isSecret(limit?.value), isSecret(secret?.value)]).toEqual([false, true]);
  expect(isSecret({ host: "a", password: { $secret: "set" } })).toBe(false);
});

test("text is sent as text, and what is not JSON is refused before it is sent", () => {
  expect(draftOf("text", 'say "hi"')).toBe('{"value":"say \\"hi\\""}');
  expect(draftOf("json", "[1, 2]")).toBe('{"value":[1, 2]}');
  expect(() => draftOf("json", "{a: 1}")).toThrow();
  expect(() => draftOf("json", "")).toThrow();
});
