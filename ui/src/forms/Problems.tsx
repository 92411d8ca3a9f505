import { Alert, Anchor, Code, List } from "@mantine/core";
import { IconAlertTriangle, IconInfoCircle } from "@tabler/icons-react";
import type { ProblemAt } from "../api/problem";

/** Everything that is wrong with a document, each a way to the place where it is. */
export function Problems({
  title,
  problems,
  line,
  onGo,
}: {
  title: string;
  problems: readonly ProblemAt[];
  /** The line of a pointer, where the document is shown as text. */
  line?: (pointer: string) => number | undefined;
  onGo: (pointer: string) => void;
}) {
  if (problems.length === 0) return null;
  const bad = problems.some((problem) => !problem.warning);
  return (
    <Alert
      color={bad ? "red" : "yellow"}
      role={bad ? "alert" : "status"}
      icon={bad ? <IconAlertTriangle /> : <IconInfoCircle />}
      title={title}
    >
      <List size="sm">
        {problems.map((problem) => {
          const at = line?.(problem.pointer);
          return (
            <List.Item key={problem.pointer + problem.message}>
              {problem.pointer !== "" && (
                <>
                  <Anchor
                    component="button"
                    type="button"
                    size="sm"
                    c="inherit"
                    underline="always"
                    onClick={() => onGo(problem.pointer)}
                  >
                    <Code>{problem.pointer}</Code>
                    {at !== undefined && ` (line ${at})`}
                  </Anchor>{" "}
                </>
              )}
              {problem.message}
            </List.Item>
          );
        })}
      </List>
    </Alert>
  );
}

/** Moves to the field of a pointer, or to the nearest one around it. */
export function focusField(pointer: string): void {
  for (let at = pointer; at !== ""; at = at.slice(0, at.lastIndexOf("/"))) {
    const field = document.getElementById(at);
    if (field) {
      field.focus();
      field.scrollIntoView({ block: "center" });
      return;
    }
  }
}
