import { isLosslessNumber, parse, stringify, type LosslessNumber } from "lossless-json";

/** A JSON value whose numbers keep their digits. */
export type Json = null | boolean | string | number | LosslessNumber | Json[] | JsonObject;
export interface JsonObject {
  [name: string]: Json;
}

/** Reads JSON; numbers stay the text that they were. */
export function parseExact(text: string): Json {
  return parse(text) as Json;
}

/** Prints JSON on several lines; numbers are written as they were read. */
export function printExact(value: Json): string {
  return stringify(value, null, 2) ?? "";
}

/** Whether a value is an object of JSON. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !isLosslessNumber(value);
}

/** The member of an object; `undefined` where there is none. */
export function member(value: Json | undefined, name: string): Json | undefined {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

/** A scalar as the text that stands in a document. */
export function scalar(value: Json | undefined): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return value;
  return typeof value === "object" && !isLosslessNumber(value) ? (stringify(value) ?? "") : String(value);
}

/** The object without some of its members. */
export function without(value: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)));
}
