import type { Schemas } from "../api/client";
import { reaches, type Graph, type GraphEdge } from "./graph";

type Connector = Schemas["Connector"];

/** What is promised of messages on an edge. */
export interface Guarantee {
  /** In two or three words, for the edge. */
  readonly short: string;
  /** In a sentence. */
  readonly long: string;
  /** Less than the workflow requires. */
  readonly tooLittle: boolean;
}

/** What a guarantee follows from. */
export interface Promised {
  readonly graph: Graph;
  readonly acknowledge: string | undefined;
  readonly buffer: string | undefined;
  readonly require?: { readonly confirms?: string; readonly repeats?: string } | undefined;
  /** The connector of a source or sink node, if its kind is known. */
  readonly connectorOf: (nodeId: string) => Connector | undefined;
}

const REPEATS = ["at_least_once", "idempotent", "transactional"] as const;

function promise(connector: Connector | undefined, name: string): string | undefined {
  const promises = connector?.promises;
  if (typeof promises !== "object" || promises === null) return undefined;
  const value = (promises as Record<string, unknown>)[name];
  return typeof value === "string" ? value : undefined;
}

/** The level that holds where the document names none. */
export function level({ graph, acknowledge, buffer, connectorOf }: Promised): string {
  if (acknowledge !== undefined) return acknowledge;
  const source = graph.nodes.find((node) => node.type === "source");
  const rereadable = source && promiseFlag(connectorOf(source.id), "rereadable");
  return rereadable === false && buffer !== "ring" ? "durable" : "delivered";
}

function promiseFlag(connector: Connector | undefined, name: string): boolean | undefined {
  const promises = connector?.promises;
  if (typeof promises !== "object" || promises === null) return undefined;
  const value = (promises as Record<string, unknown>)[name];
  return typeof value === "boolean" ? value : undefined;
}

/** Says what holds on an edge: before the log is written, what the source is told; behind it, what the sinks may see. */
export function guarantee(promised: Promised, edge: GraphEdge): Guarantee {
  const from = promised.graph.nodes.find((node) => node.id === edge.source_id);
  if (from?.type === "source") {
    return level(promised) === "durable"
      ? {
          short: "durable",
          long: "The source is told only after the message is synced to this node's disk.",
          tooLittle: false,
        }
      : {
          short: "delivered",
          long: "The source is told only after every sink has confirmed the message, or it is a dead letter on disk.",
          tooLittle: false,
        };
  }
  const sinks = promised.graph.nodes.filter(
    (node) => node.type === "sink" && reaches(promised.graph, edge.target_id, node.id),
  );
  const kinds = sinks.map((sink) => promise(promised.connectorOf(sink.id), "repeats"));
  if (sinks.length === 0)
    return { short: "leads nowhere", long: "No sink comes behind this edge.", tooLittle: true };
  if (kinds.some((kind) => kind === undefined))
    return { short: "–", long: "The sink's kind is not known.", tooLittle: false };
  const weakest = REPEATS.find((kind) => kinds.includes(kind)) ?? "at_least_once";
  const wanted = promised.require?.repeats;
  const wantedRank = REPEATS.findIndex((kind) => kind === wanted);
  const tooLittle = wantedRank > REPEATS.indexOf(weakest);
  return { ...SAID[weakest], tooLittle };
}

const SAID = {
  at_least_once: {
    short: "at least once",
    long: "Nothing is lost; after a crash a message may be there twice.",
  },
  idempotent: {
    short: "once in effect",
    long: "A message that comes again changes nothing: the sink writes by the message's id.",
  },
  transactional: {
    short: "effectively once",
    long: "A token in the data's own transaction leaves repeats out, and refuses a node that is not the owner any more.",
  },
} as const;
