import { isObject, member, type Json, type JsonObject } from "../format/exact";
import { omit } from "../format/omit";

/** What the forms read of a JSON Schema. */
export interface Schema {
  type?: string | string[];
  title?: string;
  description?: string;
  default?: Json;
  examples?: Json[];
  format?: string;
  enum?: Json[];
  const?: Json;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: Schema;
  oneOf?: Schema[];
  anyOf?: Schema[];
  minimum?: number;
  maximum?: number;
  writeOnly?: boolean;
  $ref?: string;
  "x-unit"?: string;
  "x-advanced"?: boolean;
  "x-group"?: string;
  /** It has its field elsewhere. */
  "x-hidden"?: boolean;
}

export interface Choice {
  readonly value: string;
  readonly description?: string | undefined;
}

export interface Variant {
  readonly value: string;
  readonly schema: Schema;
}

/** How a value is asked for. */
export type Kind =
  | { readonly kind: "secret" | "text" | "integer" | "number" | "boolean" | "json" }
  | { readonly kind: "choice"; readonly choices: readonly Choice[] }
  | { readonly kind: "list"; readonly items: Schema }
  | { readonly kind: "map"; readonly values: Schema }
  | { readonly kind: "object"; readonly properties: Readonly<Record<string, Schema>> }
  | { readonly kind: "variants"; readonly by: string; readonly variants: readonly Variant[] };

/** Follows references, and leaves out that a value may be `null`: absent says the same. */
export function plain(root: Schema, schema: Schema, depth = 0): Schema {
  if (depth > 16) return {};
  if (schema.$ref?.startsWith("#")) {
    const { $ref, ...rest } = schema;
    return plain(root, { ...pointed(root, $ref.slice(1)), ...rest }, depth + 1);
  }
  const branches = schema.anyOf ?? schema.oneOf;
  const present = branches?.filter((branch) => branch.type !== "null");
  if (branches && present?.length === 1 && present[0]) {
    return { ...plain(root, present[0], depth + 1), ...omit(schema, "anyOf", "oneOf") };
  }
  if (Array.isArray(schema.type)) {
    const types = schema.type.filter((type) => type !== "null");
    const [only] = types;
    const rest = omit(schema, "type");
    return types.length === 1 && only !== undefined ? { ...rest, type: only } : rest;
  }
  return schema;
}

function pointed(root: Schema, pointer: string): Schema {
  let at: unknown = root;
  for (const step of pointer.split("/").slice(1)) {
    at = isObject(at) ? at[step.replaceAll("~1", "/").replaceAll("~0", "~")] : undefined;
  }
  return isObject(at) ? at : {};
}

/** Says how the values of a schema are asked for. Whatever has no field of its own is asked for as JSON. */
export function kindOf(root: Schema, given: Schema): Kind {
  const schema = plain(root, given);
  if (schema.writeOnly) return { kind: "secret" };
  const choices = choicesOf(root, schema);
  if (choices) return { kind: "choice", choices };
  const variants = variantsOf(root, schema);
  if (variants) return variants;
  switch (schema.type) {
    case "string":
      return { kind: "text" };
    case "integer":
    case "number":
    case "boolean":
      return { kind: schema.type };
    case "array":
      return schema.items ? { kind: "list", items: schema.items } : { kind: "json" };
    case "object":
      if (schema.properties) return { kind: "object", properties: schema.properties };
      return typeof schema.additionalProperties === "object"
        ? { kind: "map", values: schema.additionalProperties }
        : { kind: "json" };
    default:
      return { kind: "json" };
  }
}

function choicesOf(root: Schema, schema: Schema): Choice[] | undefined {
  if (schema.enum?.every((value) => typeof value === "string"))
    return schema.enum.map((value) => ({ value }));
  const branches = (schema.oneOf ?? schema.anyOf ?? []).map((branch) => plain(root, branch));
  const choices = branches.flatMap((branch) => {
    if (typeof branch.const === "string") return [{ value: branch.const, description: branch.description }];
    return branch.enum?.every((value) => typeof value === "string")
      ? branch.enum.map((value) => ({ value, description: branch.description }))
      : [];
  });
  const all = branches.every((branch) => typeof branch.const === "string" || branch.enum !== undefined);
  return branches.length > 0 && all ? choices : undefined;
}

/** Objects of several shapes, told apart by one member that is a constant in each. */
function variantsOf(root: Schema, schema: Schema): Kind | undefined {
  const branches = (schema.oneOf ?? schema.anyOf ?? []).map((branch) => plain(root, branch));
  const [first] = branches;
  const names = Object.keys(first?.properties ?? {});
  const constant = (branch: Schema, name: string) => {
    const value = branch.properties?.[name]?.const;
    return typeof value === "string" ? value : undefined;
  };
  const by = names.find((name) => branches.every((branch) => constant(branch, name) !== undefined));
  if (by === undefined) return undefined;
  const variants = branches.map((branch) => {
    const properties = omit(branch.properties ?? {}, by);
    return { value: constant(branch, by) ?? "", schema: { ...branch, properties } };
  });
  return { kind: "variants", by, variants };
}

/** Whether a value is a secret that the node keeps and does not show. */
export function isKeptSecret(value: Json | undefined): boolean {
  return isObject(value) && member(value, "$secret") !== undefined;
}

/** Members that a schema has no field for. They are kept as they are. */
export function unknownKeys(root: Schema, schema: Schema, value: Json | undefined): string[] {
  const known = plain(root, schema).properties;
  return known && isObject(value) ? Object.keys(value).filter((name) => !Object.hasOwn(known, name)) : [];
}

/** The object with another value for one of its members; `undefined` takes the member out. Order is kept. */
export function withMember(value: Json | undefined, name: string, next: Json | undefined): JsonObject {
  const before = isObject(value) ? value : {};
  if (next !== undefined) return { ...before, [name]: next };
  return Object.fromEntries(Object.entries(before).filter(([each]) => each !== name));
}
