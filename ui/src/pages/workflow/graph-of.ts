import { isObject, member, scalar, type Json, type JsonObject } from "../../format/exact";

export interface GraphNode {
  readonly id: string;
  readonly type: string;
  /** What it does, on one line. */
  readonly what: string;
  /** The source or sink that it names. */
  readonly ref: string | undefined;
  readonly leadsTo: readonly string[];
}

export interface GraphEdge {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly branch: string;
}

function objects(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** A condition as it is read aloud. */
function condition(value: JsonObject): string {
  return ["field", "operator", "value"]
    .map((name) => scalar(member(value, name)))
    .filter(Boolean)
    .join(" ");
}

function what(node: JsonObject): string {
  const config = member(node, "config");
  const conditions = objects(member(config, "conditions"));
  if (conditions.length > 0) return conditions.map(condition).join(" and ");
  if (isObject(config) && config["field"] !== undefined) return condition(config);
  const fields = member(config, "fields");
  if (isObject(fields)) {
    return Object.entries(fields)
      .map(([name, value]) => `${name} = ${scalar(value)}`)
      .join(", ");
  }
  return isObject(config) && Object.keys(config).length > 0 ? scalar(config) : "";
}

/** Reads nodes and edges of a workflow's document. */
export function graphOf(document: JsonObject): { nodes: GraphNode[]; edges: GraphEdge[] } {
  const text = (value: JsonObject, name: string) => scalar(member(value, name));
  const edges = objects(document["edges"]).map((edge) => ({
    id: text(edge, "id"),
    from: text(edge, "source_id"),
    to: text(edge, "target_id"),
    branch: scalar(member(member(edge, "config"), "label")),
  }));
  const nodes = objects(document["nodes"]).map((node) => {
    const id = text(node, "id");
    return {
      id,
      type: text(node, "type"),
      what: what(node),
      ref: text(node, "ref_id") || undefined,
      leadsTo: edges.filter((edge) => edge.from === id).map((edge) => edge.to),
    };
  });
  return { nodes, edges };
}
