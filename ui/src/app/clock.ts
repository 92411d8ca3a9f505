import { useSyncExternalStore } from "react";
import { create } from "zustand";
import { persist } from "zustand/middleware";
import type { Zone } from "../format/time";

/** Which clock all times of all pages are shown by. */
export const useZone = create<{ zone: Zone; setZone: (zone: Zone) => void }>()(
  persist((set) => ({ zone: "local", setZone: (zone) => set({ zone }) }), { name: "hermod-zone" }),
);

const readers = new Set<() => void>();
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(reader: () => void): () => void {
  readers.add(reader);
  timer ??= setInterval(() => {
    now = Date.now();
    for (const each of readers) each();
  }, 1000);
  return () => {
    readers.delete(reader);
    if (readers.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** The time, once a second: one timer for everything that grows old on a page. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}
