import { expect, test } from "vitest";
import { parseExact, printExact } from "../format/exact";
import { placed } from "./placed";
import { isKeptSecret, kindOf, plain, unknownKeys, withMember, type Schema } from "./schema";

const kind = (schema: Schema) => kindOf(schema, schema);

test("every shape of the connectors' schemas has its field", () => {
  expect(kind({ type: ["string", "null"] }).kind).toBe("text");
  expect(kind({ type: ["string", "null"], writeOnly: true }).kind).toBe("secret");
  expect(kind({ type: "integer", minimum: 1 }).kind).toBe("integer");
  expect(kind({ type: "array", items: { type: "string" } }).kind).toBe("list");
  expect(kind({ type: "object", additionalProperties: { type: "string" } }).kind).toBe("map");
  expect(kind({ type: "object", properties: {} }).kind).toBe("object");
  expect(kind({}).kind).toBe("json");
});

test("a choice that may be null is a choice, and keeps the outer description", () => {
  const schema: Schema = {
    description: "outer",
    anyOf: [
      { oneOf: [{ const: "a" }, { const: "b", description: "B" }], description: "inner" },
      { type: "null" },
    ],
  };
  expect(kind(schema)).toEqual({
    kind: "choice",
    choices: [
      { value: "a", description: undefined },
      { value: "b", description: "B" },
    ],
  });
  expect(plain(schema, schema).description).toBe("outer");
});

test("objects are told apart by the member that is a constant in each", () => {
  const schema: Schema = {
    oneOf: [
      { type: "object", properties: { type: { const: "file" } } },
      { type: "object", properties: { type: { const: "ring" }, messages: { type: "integer" } } },
    ],
  };
  const found = kind(schema);
  expect(found.kind === "variants" && [found.by, found.variants.map((each) => each.value)]).toEqual([
    "type",
    ["file", "ring"],
  ]);
});

test("references are followed and do not go round for ever", () => {
  const schema = { $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/a" } } } as Schema;
  expect(kind(schema).kind).toBe("json");
  const good = { $ref: "#/$defs/a", $defs: { a: { type: "boolean" } } } as Schema;
  expect(kind(good).kind).toBe("boolean");
});

test("what a form does not know is kept, and numbers keep their digits (D13)", () => {
  const schema: Schema = { type: "object", properties: { path: { type: "string" } } };
  const value = parseExact('{"path": "a", "later": 9007199254740993, "secret": {"$secret": "set"}}');
  expect(unknownKeys(schema, schema, value)).toEqual(["later", "secret"]);
  const changed = withMember(value, "path", "b");
  expect(printExact(changed)).toBe(
    '{\n  "path": "b",\n  "later": 9007199254740993,\n  "secret": {\n    "$secret": "set"\n  }\n}',
  );
  expect(withMember(changed, "path", undefined)).not.toHaveProperty("path");
});

test("a kept secret is sent back as it was, and never its mask as a text (D12)", () => {
  expect(isKeptSecret(parseExact('{"$secret": "set"}'))).toBe(true);
  expect(isKeptSecret("${env:KEY}")).toBe(false);
});

test("what is missing is said at the field where it is to be", () => {
  const found = { pointer: "/config", message: "`table` is missing", warning: false };
  expect(placed([found])[0]?.pointer).toBe("/config/table");
  const other = { pointer: "/config/port", message: "`0` is less than 1", warning: false };
  expect(placed([other])).toEqual([other]);
});
