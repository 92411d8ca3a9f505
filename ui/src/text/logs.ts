/** Words of the page of the log. */
export const logs = {
  title: "Logs of this node",
  filter: "Filter",
  level: "Level",
  atLeast: {
    debug: "all",
    info: "info and worse",
    warn: "warn and worse",
    error: "error",
  },
  workflow: "Workflow",
  any: "any",
  text: "Text",
  pause: "Pause",
  follow: "Follow the end",
  fresh: (n: string) => `${n} new, show them`,
  following: "Following the end",
  still: "Holding still",
  missed: (n: string) => `Missed ${n} lines: they came faster than they could be sent.`,
  reload: "Read again",
  lost: (age: string) => `Not connected for ${age}. Lines since then are read when the node answers again.`,
  restarted: "The node was started anew. Its earlier lines are gone from here.",
  lines: (n: string) => `${n} lines`,
  count: (shown: string, held: string, isNarrow: boolean) =>
    isNarrow ? `${shown} of ${held} lines` : `${held} lines`,
  none: "No lines yet",
  noneFits: "No line that the node still keeps fits",
  noneYet: "New ones appear here as they are written.",
  noneHint:
    "Text is looked for in the lines that this page holds: the latest 1,000 and those that came since.",
  only: (workflow: string) => `Only lines of ${workflow}`,
  copy: "Copy line as JSON",
};
