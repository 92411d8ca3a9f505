import dagre from "@dagrejs/dagre";
import { move, type Graph } from "./graph";

/** What a node takes on the canvas, in pixels. */
export const NODE_WIDTH = 216;
export const NODE_HEIGHT = 64;

/** Lays the graph out from left to right. */
export function laidOut(graph: Graph): Graph {
  const plan = new dagre.graphlib.Graph();
  plan.setGraph({ rankdir: "LR", nodesep: 36, ranksep: 110 });
  plan.setDefaultEdgeLabel(() => ({}));
  for (const node of graph.nodes) plan.setNode(node.id, { width: NODE_WIDTH, height: NODE_HEIGHT });
  for (const edge of graph.edges) plan.setEdge(edge.source_id, edge.target_id);
  dagre.layout(plan);
  const places = new Map(
    graph.nodes.map((node) => {
      const { x, y } = plan.node(node.id) as { x: number; y: number };
      return [node.id, { x: x - NODE_WIDTH / 2, y: y - NODE_HEIGHT / 2 }] as const;
    }),
  );
  return move(graph, places);
}

/** Whether somebody has placed the nodes: no two stand on each other. */
export function isPlaced(graph: Graph): boolean {
  const places = new Set(graph.nodes.map((node) => `${node.x ?? 0}/${node.y ?? 0}`));
  return places.size === graph.nodes.length;
}
