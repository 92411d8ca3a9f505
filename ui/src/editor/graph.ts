/** A workflow's graph as its document has it. Members that the editor does not know are kept. */
export interface GraphNode {
  readonly id: string;
  readonly type: string;
  readonly ref_id?: string;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly x?: number;
  readonly y?: number;
  readonly [member: string]: unknown;
}

export interface GraphEdge {
  readonly id: string;
  readonly source_id: string;
  readonly target_id: string;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly [member: string]: unknown;
}

export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

/** Branches of a node by their label: a condition has two, all others one without a name. */
export function branches(node: GraphNode): readonly (string | undefined)[] {
  return node.type === "condition" ? ["true", "false"] : [undefined];
}

/** The branch that an edge leaves by. */
export function branchOf(edge: GraphEdge): string | undefined {
  const label = edge.config?.["label"];
  return typeof label === "string" ? label : undefined;
}

/** A wire that somebody is about to draw. */
export interface Wire {
  readonly from: string;
  readonly to: string;
  readonly branch?: string | undefined;
}

/** Says why a wire is not possible; nothing where it is. */
export function refusal(graph: Graph, { from, to, branch }: Wire): string | undefined {
  const source = graph.nodes.find((node) => node.id === from);
  const target = graph.nodes.find((node) => node.id === to);
  if (!source || !target) return "there is no such node";
  if (from === to) return "a node does not lead to itself";
  if (source.type === "sink") return "messages leave at a sink; nothing comes behind it";
  if (target.type === "source") return "messages enter at a source; nothing comes before it";
  const has = graph.edges.some(
    (edge) => edge.source_id === from && edge.target_id === to && branchOf(edge) === branch,
  );
  if (has) return "these two are connected already";
  if (reaches(graph, to, from)) return "this would be a circle";
  return undefined;
}

/** Whether one node leads to another over any number of edges. */
export function reaches(graph: Graph, from: string, to: string): boolean {
  const open = [from];
  const seen = new Set<string>();
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (at === to) return true;
    if (seen.has(at)) continue;
    seen.add(at);
    for (const edge of graph.edges) if (edge.source_id === at) open.push(edge.target_id);
  }
  return false;
}

/** The first of `in`, `in-2`, `in-3`, … that is free. */
export function freeId(taken: Iterable<string>, wanted: string): string {
  const known = new Set(taken);
  if (!known.has(wanted)) return wanted;
  for (let number = 2; ; number += 1) {
    const id = `${wanted}-${number}`;
    if (!known.has(id)) return id;
  }
}

/** Adds an edge. */
export function connect(graph: Graph, { from, to, branch }: Wire): Graph {
  const wanted = branch === undefined ? `${from}-${to}` : `${from}-${branch}-${to}`;
  const id = freeId(
    graph.edges.map((edge) => edge.id),
    wanted,
  );
  const edge: GraphEdge = {
    id,
    source_id: from,
    target_id: to,
    ...(branch === undefined ? {} : { config: { label: branch } }),
  };
  return { ...graph, edges: [...graph.edges, edge] };
}

/** Adds a node; behind another one, and before what that one led to, where it is asked for. */
export function add(
  graph: Graph,
  node: Omit<GraphNode, "id"> & { readonly id?: string },
  after?: Wire,
): Graph {
  const id = freeId(
    graph.nodes.map((each) => each.id),
    node.id ?? String(node["type"]),
  );
  const added: GraphNode = { ...(node as Omit<GraphNode, "id">), id } as GraphNode;
  const grown = { ...graph, nodes: [...graph.nodes, added] };
  if (!after) return grown;
  return connect(grown, { from: after.from, to: id, branch: after.branch });
}

/** Puts a node on an edge. */
export function insert(graph: Graph, edgeId: string, node: Omit<GraphNode, "id">): Graph {
  const edge = graph.edges.find((each) => each.id === edgeId);
  if (!edge) return graph;
  const wanted = String(node["type"]);
  const id = freeId(
    graph.nodes.map((each) => each.id),
    wanted,
  );
  const without = {
    nodes: [...graph.nodes, { ...node, id } as GraphNode],
    edges: graph.edges.filter((each) => each.id !== edgeId),
  };
  const first = connect(without, { from: edge.source_id, to: id, branch: branchOf(edge) });
  const branch = branches({ ...node, id } as GraphNode)[0];
  return connect(first, { from: id, to: edge.target_id, branch });
}

/** Takes nodes and edges out, and every edge that would hang in the air. */
export function remove(graph: Graph, nodes: ReadonlySet<string>, edges: ReadonlySet<string>): Graph {
  return {
    nodes: graph.nodes.filter((node) => !nodes.has(node.id)),
    edges: graph.edges.filter(
      (edge) => !edges.has(edge.id) && !nodes.has(edge.source_id) && !nodes.has(edge.target_id),
    ),
  };
}

/** Changes one node. */
export function change(graph: Graph, id: string, with_: Partial<GraphNode>): Graph {
  return { ...graph, nodes: graph.nodes.map((node) => (node.id === id ? { ...node, ...with_, id } : node)) };
}

/** Moves nodes. */
export function move(graph: Graph, places: ReadonlyMap<string, { x: number; y: number }>): Graph {
  return {
    ...graph,
    nodes: graph.nodes.map((node) => {
      const place = places.get(node.id);
      return place ? { ...node, x: Math.round(place.x), y: Math.round(place.y) } : node;
    }),
  };
}

/** A part of a graph, as it is copied: nodes, and the edges between them. */
export function part(graph: Graph, ids: ReadonlySet<string>): Graph {
  return {
    nodes: graph.nodes.filter((node) => ids.has(node.id)),
    edges: graph.edges.filter((edge) => ids.has(edge.source_id) && ids.has(edge.target_id)),
  };
}

/** Adds a copied part under ids of its own; returns the graph and the new ids. */
export function paste(graph: Graph, copied: Graph): { graph: Graph; ids: ReadonlySet<string> } {
  const renamed = new Map<string, string>();
  let grown = graph;
  for (const node of copied.nodes) {
    const before = grown.nodes.length;
    grown = add(grown, { ...node, x: (node.x ?? 0) + 40, y: (node.y ?? 0) + 40 });
    renamed.set(node.id, grown.nodes[before]?.id ?? node.id);
  }
  for (const edge of copied.edges) {
    const [from, to] = [renamed.get(edge.source_id), renamed.get(edge.target_id)];
    if (from !== undefined && to !== undefined) grown = connect(grown, { from, to, branch: branchOf(edge) });
  }
  return { graph: grown, ids: new Set(renamed.values()) };
}
