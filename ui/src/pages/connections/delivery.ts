import type { Schema } from "../../forms/schema";

/** What stands beside `config` of every sink; it is of the document's format, not of a connector. */
export const DELIVERY: Schema = {
  type: "object",
  properties: {
    batch: {
      type: "object",
      description: "How batches are made.",
      properties: {
        messages: { type: "integer", default: 500, description: "Most messages of a batch." },
        bytes: {
          type: "integer",
          default: 1_048_576,
          description: "Most bytes of a batch; one message may exceed it alone.",
        },
        wait: {
          type: "string",
          default: "0ms",
          description: "How long a batch that is not full waits for more, such as `250ms` or `10s`.",
        },
      },
    },
    retry: {
      type: "object",
      description: "What happens to a message that the sink refuses.",
      properties: {
        max_retries: {
          type: "integer",
          default: 3,
          description: "How often it is tried again before it becomes a dead letter.",
        },
        interval: {
          type: "string",
          default: "100ms",
          description: "First wait; it doubles each time, with jitter.",
        },
        interval_max: { type: "string", default: "30s", description: "Longest wait." },
      },
    },
    on_outage: {
      oneOf: [
        { const: "wait", description: "Messages wait until the sink is back." },
        { const: "dead_letter", description: "Messages are given up after `max_retries`." },
      ],
      default: "wait",
      description: "What happens while the sink is away.",
    },
    on_slow_sink: {
      oneOf: [
        { const: "lag", description: "The sink falls behind and catches up from the buffer." },
        { const: "block", description: "The source waits for the sink." },
      ],
      description: "What happens when the sink is slower than the source.",
    },
    ordered: {
      type: "boolean",
      default: true,
      description:
        "Whether order is kept where the sink may take a later message of a batch while it refuses an earlier one.",
    },
  },
};
