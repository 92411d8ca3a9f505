import { describe, expect, test } from "vitest";
import { standing, type Status } from "./states";
import { verdict } from "./verdict";

const now = 1_800_000_000_000;

function status(over: Partial<Status> = {}): Status {
  return { workflow: "orders", state: "running", sinks: [], at_ms: now, ...over };
}

const sink = (id: string, backlog: number, blocked: string | null = null) => ({
  id,
  type: "http",
  backlog,
  next: 5,
  blocked,
  lagging: false,
});

describe("what is told of a workflow", () => {
  test("a sink that refuses is named with what waits, and that nothing is lost", () => {
    const said = verdict({
      active: true,
      status: status({ sinks: [sink("orders_pg", 8204, "the server refuses connections")] }),
      nowMs: now,
    });
    expect(said.standing).toBe("stalled");
    expect(said.detail).toBe(
      "sink orders_pg: the server refuses connections; 8,204 messages waiting, none lost",
    );
  });

  test("one of several sinks that refuses is a retry, not a standstill", () => {
    const sinks = [sink("a", 0), sink("b", 3, "away")];
    expect(standing({ active: true, status: status({ sinks }), nowMs: now })).toBe("retrying");
  });

  test("running is never said of a node that has gone silent (D6)", () => {
    const old = status({ at_ms: now - 11_000 });
    expect(standing({ active: true, status: old, nowMs: now })).toBe("unknown");
  });

  test("idle, stalled and failed are told apart", () => {
    const idle = {
      active: true,
      status: status({ sinks: [sink("a", 0)] }),
      lastInputMs: now - 720_000,
      nowMs: now,
    };
    expect(verdict(idle).detail).toBe("no input for 12 min; nothing waiting");
    const failed = verdict({ active: true, status: status({ state: "failed", reason: "bad" }), nowMs: now });
    expect([failed.word, failed.detail]).toEqual(["Failed", "bad; nothing waiting"]);
  });

  test("what is not known is not zero", () => {
    expect(verdict({ active: true, status: null, nowMs: now }).standing).toBe("waiting");
    expect(verdict({ active: false, status: null, nowMs: now }).standing).toBe("stopped");
  });
});
