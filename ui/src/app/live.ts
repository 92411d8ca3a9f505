import { create } from "zustand";
import type { Schemas } from "../api/client";

type Status = Schemas["WorkflowStatus"];

/** What has been seen of one workflow since the page was opened. */
export interface Pulse {
  readonly status: Status;
  /** Messages a second that came in, over the last seconds; `undefined` until that is known. */
  readonly inRate: number | undefined;
  /** The same per sink, for what went out. */
  readonly outRates: Readonly<Record<string, number>>;
  readonly lastInputMs: number | undefined;
}

interface Live {
  /** By workflow. */
  readonly pulses: Readonly<Record<string, Pulse>>;
  /** Whether the stream is open; when it was lost otherwise. */
  readonly lostAtMs: number | undefined;
  readonly heardAtMs: number | undefined;
}

/** What the node streams: one connection for all pages. */
export const useLive = create<Live>(() => ({ pulses: {}, lostAtMs: undefined, heardAtMs: undefined }));

/** So long a rate is averaged over. */
const WINDOW_MS = 5_000;

interface Sample {
  readonly atMs: number;
  readonly next: number;
  readonly sinks: Readonly<Record<string, number>>;
}

const samples = new Map<string, Sample[]>();

function slope(window: readonly Sample[], of: (sample: Sample) => number | undefined): number | undefined {
  const [first] = window;
  const last = window.at(-1);
  if (!first || !last || last.atMs - first.atMs < 900) return undefined;
  const from = of(first);
  const to = of(last);
  // A number that went back is of another epoch.
  if (from === undefined || to === undefined || to < from) return undefined;
  return ((to - from) * 1000) / (last.atMs - first.atMs);
}

/** Takes over what was said of a workflow. */
export function pulse(before: Pulse | undefined, status: Status): Pulse {
  const known = samples.get(status.workflow) ?? [];
  const sinks = Object.fromEntries(status.sinks.map((sink) => [sink.id, sink.next]));
  const window = known.filter(
    (sample) => status.at_ms - sample.atMs <= WINDOW_MS && sample.atMs < status.at_ms,
  );
  if (status.next != null) window.push({ atMs: status.at_ms, next: status.next, sinks });
  samples.set(status.workflow, window);
  const outRates: Record<string, number> = {};
  for (const sink of status.sinks) {
    const out = slope(window, (sample) => sample.sinks[sink.id]);
    if (out !== undefined) outRates[sink.id] = out;
  }
  const moved = before?.status.next != null && status.next != null && status.next > before.status.next;
  return {
    status,
    inRate: slope(window, (sample) => sample.next),
    outRates,
    lastInputMs: moved ? status.at_ms : before?.lastInputMs,
  };
}

let source: EventSource | undefined;

/** Opens the stream, if it is not open. It opens again by itself when it was lost. */
export function openStream(): void {
  if (source) return;
  source = new EventSource("/api/events");
  source.onopen = () => useLive.setState({ lostAtMs: undefined, heardAtMs: Date.now() });
  source.onerror = () => {
    useLive.setState((live) => ({ lostAtMs: live.lostAtMs ?? Date.now() }));
    // A refusal ends the stream for good; whoever is logged out is told by the next question.
    if (source?.readyState === EventSource.CLOSED) {
      source = undefined;
      setTimeout(openStream, 3_000);
    }
  };
  source.addEventListener("status", (event) => {
    const statuses = JSON.parse(event.data as string) as Status[];
    useLive.setState((live) => {
      const pulses = { ...live.pulses };
      for (const status of statuses) pulses[status.workflow] = pulse(pulses[status.workflow], status);
      return { pulses, lostAtMs: undefined, heardAtMs: Date.now() };
    });
  });
  source.addEventListener("gone", (event) => {
    const ids = JSON.parse(event.data as string) as string[];
    useLive.setState((live) => {
      const pulses = Object.fromEntries(Object.entries(live.pulses).filter(([id]) => !ids.includes(id)));
      return { pulses, heardAtMs: Date.now() };
    });
  });
}

/** Ends it: nobody is logged in any more. */
export function closeStream(): void {
  source?.close();
  source = undefined;
  samples.clear();
  useLive.setState({ pulses: {}, lostAtMs: undefined, heardAtMs: undefined });
}
