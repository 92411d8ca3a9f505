import { temporal } from "zundo";
import { createStore } from "zustand";
import { isPlaced, laidOut } from "./layout";
import type { Graph } from "./graph";

/** The workflow's document without its graph. */
export type Rest = Readonly<Record<string, unknown>>;

/** What somebody is editing. */
export interface Draft {
  readonly graph: Graph;
  readonly rest: Rest;
  /** Replaces the graph: one step that can be undone. */
  readonly setGraph: (change: (graph: Graph) => Graph) => void;
  /** Replaces settings of the workflow. */
  readonly setRest: (change: (rest: Rest) => Rest) => void;
}

/** Splits a document into graph and rest. */
export function opened(document: Readonly<Record<string, unknown>>): { graph: Graph; rest: Rest } {
  const { nodes, edges, ...rest } = document;
  const graph: Graph = {
    nodes: Array.isArray(nodes) ? (nodes as Graph["nodes"]) : [],
    edges: Array.isArray(edges) ? (edges as Graph["edges"]) : [],
  };
  return { graph: isPlaced(graph) ? graph : laidOut(graph), rest };
}

/** The document that is saved. */
export function document({ graph, rest }: Pick<Draft, "graph" | "rest">): Record<string, unknown> {
  return { ...rest, nodes: graph.nodes, edges: graph.edges };
}

/** Makes a draft of a document, with undo and redo without a limit worth naming. */
export function draftOf(saved: Readonly<Record<string, unknown>>) {
  return createStore<Draft>()(
    temporal(
      (set) => ({
        ...opened(saved),
        setGraph: (change) => set((draft) => ({ graph: change(draft.graph) })),
        setRest: (change) => set((draft) => ({ rest: change(draft.rest) })),
      }),
      {
        partialize: ({ graph, rest }) => ({ graph, rest }),
        equality: (a, b) => a.graph === b.graph && a.rest === b.rest,
        limit: 1000,
      },
    ),
  );
}

export type DraftStore = ReturnType<typeof draftOf>;
