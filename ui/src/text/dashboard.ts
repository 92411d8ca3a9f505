import { plural } from "../format/numbers";

/** Words of the dashboard. */
export const dashboardText = {
  figures: { in: "in", out: "out", waiting: "waiting", dead: "dead letters" },
  attention: "Needs a person",
  inOrder: "In order",
  notRunning: "Not running",
  summary: (problems: number, all: number) =>
    problems === 0
      ? `${all === 1 ? "The one workflow is" : `All ${plural(all, "workflow")} are`} in order.`
      : `${problems} of ${plural(all, "workflow")} ${problems === 1 ? "needs" : "need"} a person.`,
  more: (hidden: string) => `${hidden} more in the list of workflows`,
  lagging: (sinks: string) => `${sinks}: catching up from the log`,
  deadLetters: (amount: string) => `${amount} open`,
  empty: {
    hint: "A workflow takes messages from a source, keeps them on disk, and delivers them to its sinks.",
    action: "Make the first workflow",
    denied: "Somebody with the role Editor makes the first one.",
  },
  cluster: {
    label: "Cluster",
    of: (heard: number, all: number) => `${heard} of ${plural(all, "node")}`,
    survives: (more: number) =>
      more === 0 ? "survives no loss" : `survives ${more} more ${more === 1 ? "loss" : "losses"}`,
    single: "1 node, no other to take over",
    shared: (nodes: number) => `${plural(nodes, "node")} on one database`,
    leader: (name: string) => `led by ${name}`,
    noLeader: "no leader is known",
    readOnly: "Nothing can be changed now: a majority of the nodes does not answer. What runs goes on.",
  },
  stranded: {
    title: (streams: string) => `${streams} cannot be delivered from where they are`,
    stream: (workflow: string, node: string, messages: string) =>
      `${workflow} on ${node}: ${messages} waiting`,
    hint: "Their node is away or was overtaken. They are delivered when it comes back.",
    more: "Look at the cluster",
  },
} as const;

/** Words of the command bar and the help. */
export const commandText = {
  open: "Search",
  placeholder: "Search pages, workflows, sources, sinks",
  nothing: "Nothing matches",
  groups: { pages: "Pages", workflows: "Workflows", sources: "Sources", sinks: "Sinks" },
  help: "Keyboard help",
  helpTitle: "Keys",
  keys: [
    { keys: ["Ctrl", "K"], does: "Search pages, workflows, sources and sinks (⌘ K on a Mac)" },
    { keys: ["?"], does: "Show these keys" },
    { keys: ["Tab"], does: "Go to the next thing; with Shift to the one before" },
    { keys: ["Enter"], does: "Open or press what is marked" },
    { keys: ["Esc"], does: "Close what is open" },
  ],
} as const;
