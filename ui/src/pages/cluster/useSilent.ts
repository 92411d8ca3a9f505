import { useDocumentVisibility } from "@mantine/hooks";
import { useEffect, useState } from "react";

/** So long after its last answer the page says that the node is silent: below three seconds, with room to draw it. */
export const SILENT_MS = 2_600;

/** Whether the node has not answered for too long while the page was looked at. */
export function useSilent(answeredAtMs: number): boolean {
  const isVisible = useDocumentVisibility() === "visible";
  const [silentFor, setSilentFor] = useState<number>();
  useEffect(() => {
    // Nobody asks while nobody looks, so the time counts from when the page is looked at.
    if (!isVisible || answeredAtMs === 0) return;
    const timer = setTimeout(() => setSilentFor(answeredAtMs), SILENT_MS);
    return () => clearTimeout(timer);
  }, [isVisible, answeredAtMs]);
  return isVisible && silentFor !== undefined && silentFor === answeredAtMs;
}
