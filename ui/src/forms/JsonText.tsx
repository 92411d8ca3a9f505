import { Textarea } from "@mantine/core";
import { useRef, type ReactNode } from "react";
import type { ProblemAt } from "../api/problem";
import { parseExact } from "../format/exact";
import { placeOf } from "../format/place";
import { Problems } from "./Problems";

/** Why a text is no JSON; nothing where it is. */
export function syntaxError(text: string): string | undefined {
  try {
    parseExact(text);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** A document as text, with everything that is wrong with it; each finding leads to its place in the text. */
export function JsonText({
  label,
  description,
  value,
  onChange,
  readOnly = false,
  error,
  title,
  problems,
}: {
  label: string;
  description?: ReactNode;
  value: string;
  onChange: (next: string) => void;
  readOnly?: boolean;
  error?: string | undefined;
  title: string;
  problems: readonly ProblemAt[];
}) {
  const area = useRef<HTMLTextAreaElement>(null);
  const go = (pointer: string) => {
    const place = placeOf(value, pointer);
    if (!place || !area.current) return;
    const { current } = area;
    current.focus();
    current.setSelectionRange(place.from, place.to);
    const lines = value.split("\n").length;
    current.scrollTop = (current.scrollHeight * (place.line - 3)) / lines;
  };
  return (
    <>
      <Textarea
        ref={area}
        label={label}
        description={description}
        spellCheck={false}
        autosize
        minRows={12}
        maxRows={32}
        readOnly={readOnly}
        error={error}
        value={value}
        onChange={(event) => onChange(event.currentTarget.value)}
        styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: 13 } }}
      />
      <Problems
        title={title}
        problems={problems}
        line={(pointer) => placeOf(value, pointer)?.line}
        onGo={go}
      />
    </>
  );
}
