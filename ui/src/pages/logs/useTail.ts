import { useCallback, useEffect, useState } from "react";
import { logStream, readLogs, type LogFilter, type LogLine } from "../../api/logs";
import { arrived, caughtUp, EMPTY, paused, resumed, type Tail } from "./tail";

interface Followed {
  readonly tail: Tail;
  /** Whether the first lines have come. */
  readonly isLoaded: boolean;
  readonly error: unknown;
  /** Since when nothing is heard, in milliseconds since 1970. */
  readonly lostAtMs: number | undefined;
  readonly pause: () => void;
  readonly resume: () => void;
  readonly reload: () => void;
}

/** So long after a refusal the stream is opened anew. */
const AGAIN_MS = 3_000;

/** Follows the node's log by a stream of its own, which ends with the page. */
export function useTail({ level, workflow }: LogFilter): Followed {
  const [tail, setTail] = useState(EMPTY);
  const [isLoaded, setLoaded] = useState(false);
  const [error, setError] = useState<unknown>();
  const [lostAtMs, setLostAtMs] = useState<number>();
  const [attempt, setAttempt] = useState(0);
  const reload = useCallback(() => {
    setTail((before) => ({ ...EMPTY, follows: before.follows }));
    setLoaded(false);
    setAttempt((before) => before + 1);
  }, []);

  useEffect(() => {
    const filter = {
      ...(level === undefined ? {} : { level }),
      ...(workflow === undefined ? {} : { workflow }),
    };
    let isOver = false;
    let source: EventSource | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;

    // The stream is open before the question is asked: what is written between the two comes twice rather than never.
    const ask = async () => {
      try {
        const answer = await readLogs(filter, 0);
        if (isOver) return;
        setTail((before) => caughtUp(before, answer));
        setError(undefined);
        setLoaded(true);
      } catch (failure) {
        if (!isOver) setError(failure);
      }
    };
    const open = () => {
      source = new EventSource(logStream(filter));
      source.onopen = () => {
        setLostAtMs(undefined);
        void ask();
      };
      source.onerror = () => {
        setLostAtMs((before) => before ?? Date.now());
        // A refusal ends the stream for good; the question tells why.
        if (source?.readyState !== EventSource.CLOSED) return;
        void ask();
        timer = setTimeout(open, AGAIN_MS);
      };
      source.addEventListener("logs", (event: MessageEvent<string>) => {
        const lines = JSON.parse(event.data) as LogLine[];
        setTail((before) => arrived(before, lines));
      });
      source.addEventListener("missed", (event: MessageEvent<string>) => {
        const missed = JSON.parse(event.data) as number;
        setTail((before) => ({ ...before, missed: before.missed + missed }));
      });
    };
    open();
    return () => {
      isOver = true;
      clearTimeout(timer);
      source?.close();
    };
  }, [level, workflow, attempt]);

  const pause = useCallback(() => setTail(paused), []);
  const resume = useCallback(() => setTail(resumed), []);
  return { tail, isLoaded, error, lostAtMs, pause, resume, reload };
}
