import { expect, test, vi } from "vitest";
import { held, saveEdit } from "../../api/workflows";
import { parseExact, type JsonObject } from "../../format/exact";
import { heldBy } from "../workflows/DeleteDialog";
import { versionWords } from "../workflows/versionWords";
import { curlLine, entryPoint, moved } from "./entry-point";
import { graphOf } from "./graph-of";
import { readWorkflowSearch } from "./search";

// The client asks by path alone, as a page may; outside a browser a request needs a host.
vi.hoisted(() => {
  const Plain = globalThis.Request;
  globalThis.Request = class extends Plain {
    constructor(input: RequestInfo | URL, init?: RequestInit) {
      super(typeof input === "string" ? new URL(input, "http://node") : input, init);
    }
  };
});

const read = (text: string) => parseExact(text) as JsonObject;

const report = (next: number, sinks: Record<string, number>) => ({
  workflow: "w",
  state: "running" as const,
  next,
  at_ms: 1,
  sinks: Object.entries(sinks).map(([id, at]) => ({
    id,
    type: "file",
    backlog: 0,
    next: at,
    lagging: false,
  })),
});

test("what a sink has confirmed is told of it alone, never concluded from another (D1)", () => {
  expect(moved(report(5, { a: 5, b: 5 }), report(6, { a: 6, b: 5 }))).toEqual({
    takenIn: 1,
    confirmed: [
      { sink: "a", more: 1 },
      { sink: "b", more: 0 },
    ],
  });
  expect(moved(undefined, report(6, { a: 6 })).confirmed).toEqual([{ sink: "a", more: undefined }]);
});

test("a version that is saved and does not run is said in words (D4)", () => {
  expect(versionWords(3, 2, true)).toBe("v2 runs, v3 is saved");
  expect(versionWords(3, 3, true)).toBe("v3 runs");
  expect(versionWords(3, 3, false)).toBe("v3 saved, none runs");
});

test("what the node adds is not edited, and numbers keep their digits (D13)", () => {
  const one = held('{"id": "w", "etag": "4", "active": true, "nodes": [{"big": 9007199254740993}]}', "4");
  expect(one.text).toBe('{\n  "id": "w",\n  "nodes": [\n    {\n      "big": 9007199254740993\n    }\n  ]\n}');
});

/** A node that has one answer after the other. */
function answers(...all: [status: number, body: string, etag?: string][]) {
  const asked: { method: string; etag: string | null; body: string }[] = [];
  vi.stubGlobal("fetch", async (request: Request) => {
    asked.push({
      method: request.method,
      etag: request.headers.get("If-Match"),
      body: await request.text(),
    });
    const [status, body, etag = ""] = all.shift() ?? [500, "{}"];
    return new Response(body, { status, headers: { "Content-Type": "application/json", etag } });
  });
  return asked;
}

const stale = '{"status": 412, "detail": "changed"}';
const edit = { id: "w", text: '{"mine": 1}', etag: '"1"', message: "" };

test("a save on top of another one is refused and nothing is overwritten (D2)", async () => {
  const asked = answers([412, stale], [200, '{"id": "w", "theirs": 1}', '"2"']);
  const base = held('{"id": "w"}', '"1"').text;
  await expect(saveEdit({ ...edit, base })).rejects.toMatchObject({ status: 412 });
  expect(asked.map((each) => each.method)).toEqual(["PUT", "GET"]);
  expect(asked[0]?.etag).toBe('"1"');
});

test("a start in between is no conflict: the edit goes on top of it, under its revision (D3)", async () => {
  const started = '{"id": "w", "active": true}';
  const asked = answers([412, stale], [200, started, '"2"'], [200, '{"id": "w", "mine": 1}', '"3"']);
  const base = held('{"id": "w", "active": false}', '"1"').text;
  expect((await saveEdit({ ...edit, base })).etag).toBe('"3"');
  expect(asked.map((each) => each.etag)).toEqual(['"1"', null, '"2"']);
  expect(asked[2]?.body).toBe('{"mine": 1}');
});

test("an entry point is read from the source; a secret is not put into the curl line (D12)", () => {
  const open = entryPoint(read('{"type": "webhook", "config": {"path": "orders"}}'));
  expect(open).toMatchObject({ path: "/api/webhooks/orders", guarded: false });
  const shut = entryPoint(
    read('{"type": "graphql", "config": {"path": "o", "api_key": {"$secret": "set"}}}'),
  );
  expect(shut && curlLine(shut, "http://h", "it's")).toBe(
    `curl -X POST 'http://h/api/graphql/o' -H 'Content-Type: application/json' -H "X-API-Key: $SECRET" -d 'it'\\''s'`,
  );
  expect(entryPoint(read('{"type": "generator", "config": {}}'))).toBeUndefined();
});

test("the counts of what would be lost come from the refusal", () => {
  expect(heldBy("workflow `a` holds 12 messages and 3 dead letters; `discard=true` gives them up")).toEqual({
    messages: 12,
    dead: 3,
  });
  expect(heldBy("workflow `a` is still stopping")).toBeUndefined();
});

test("a graph is read with what its nodes do", () => {
  const { nodes, edges } = graphOf(
    read(`{"nodes": [
      {"id": "in", "type": "source", "ref_id": "s"},
      {"id": "f", "type": "filter", "config": {"field": "test", "operator": "!=", "value": true}}],
      "edges": [{"id": "e", "source_id": "in", "target_id": "f", "config": {"label": "true"}}]}`),
  );
  expect(nodes.map((node) => [node.what, node.leadsTo])).toEqual([
    ["", ["f"]],
    ["test != true", []],
  ]);
  expect(edges[0]).toMatchObject({ from: "in", to: "f", branch: "true" });
});

test("an address that makes no sense shows the overview", () => {
  expect(readWorkflowSearch({ tab: "nonsense", from: "x", to: "3" })).toEqual({ to: 3 });
});
