import { workflowText } from "../../text/workflows";

const words = workflowText.template;

/** A workflow that works as it is. */
export interface Template {
  readonly key: "webhookFile" | "generatorStdout" | "webhookHttp";
  readonly title: string;
  readonly hint: string;
  /** How its workflow is called if nobody says otherwise. */
  readonly name: string;
  /** The one thing that it may have to be told. */
  readonly field?: {
    readonly label: string;
    readonly hint: string;
    readonly initial: (name: string) => string;
  };
  readonly bundle: (name: string, value: string) => object;
}

function bundle(name: string, source: object, sink: object) {
  const [input, output] = [`${name}-in`, `${name}-out`];
  return {
    workflow: {
      id: name,
      nodes: [
        { id: "in", type: "source", ref_id: input },
        { id: "out", type: "sink", ref_id: output },
      ],
      edges: [{ id: "e1", source_id: "in", target_id: "out" }],
    },
    sources: [{ id: input, ...source }],
    sinks: [{ id: output, ...sink }],
  };
}

export const TEMPLATES: readonly Template[] = [
  {
    key: "webhookFile",
    title: words.webhookFile.title,
    hint: words.webhookFile.hint,
    name: "webhook-to-file",
    field: {
      label: words.webhookFile.field,
      hint: words.webhookFile.fieldHint,
      initial: (name) => `data/${name}.ndjson`,
    },
    bundle: (name, filename) =>
      bundle(name, { type: "webhook", config: { path: name } }, { type: "file", config: { filename } }),
  },
  {
    key: "generatorStdout",
    title: words.generatorStdout.title,
    hint: words.generatorStdout.hint,
    name: "generator-to-stdout",
    bundle: (name) => bundle(name, { type: "generator", config: {} }, { type: "stdout", config: {} }),
  },
  {
    key: "webhookHttp",
    title: words.webhookHttp.title,
    hint: words.webhookHttp.hint,
    name: "webhook-to-http",
    field: { label: words.webhookHttp.field, hint: words.webhookHttp.fieldHint, initial: () => "" },
    bundle: (name, url) =>
      bundle(name, { type: "webhook", config: { path: name } }, { type: "http", config: { url } }),
  },
];

/** A name that none of these has. */
export function freeName(name: string, taken: readonly string[]): string {
  let free = name;
  for (let at = 2; taken.includes(free); at += 1) free = `${name}-${at}`;
  return free;
}

/** A bundle that has everything but what only people know. */
export const SCRATCH = bundle(
  "my-workflow",
  { type: "webhook", config: { path: "my-workflow" } },
  { type: "file", config: { filename: "data/my-workflow.ndjson" } },
);
