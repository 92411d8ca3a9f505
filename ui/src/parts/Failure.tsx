import { Alert, Button, Code, CopyButton, Group, List, Stack, Text } from "@mantine/core";
import { IconAlertTriangle, IconLock, IconPlugConnectedX } from "@tabler/icons-react";
import { asProblem } from "../api/problem";
import { text } from "../text/en";

/** What went wrong, in the words of the node: cause first, then where, then what to do. */
export function Failure({ error, retry }: { error: unknown; retry?: (() => void) | undefined }) {
  const problem = asProblem(error);
  if (problem.isDenied) {
    return (
      <Alert color="gray" icon={<IconLock />} title={text.state.denied}>
        {problem.message}
      </Alert>
    );
  }
  const away = problem.isUnreachable;
  const title = away ? text.state.unreachable : problem.message || text.state.failed;
  const copied = [
    title,
    problem.code,
    problem.hint,
    ...problem.at.map((at) => `${at.pointer}: ${at.message}`),
  ];
  return (
    <Alert
      color="red"
      role="alert"
      icon={away ? <IconPlugConnectedX /> : <IconAlertTriangle />}
      title={title}
      data-code={problem.code}
    >
      <Stack gap="xs">
        {problem.at.length > 0 && (
          <List size="sm">
            {problem.at.map((at) => (
              <List.Item key={at.pointer + at.message}>
                {at.pointer && <Code>{at.pointer}</Code>} {at.message}
              </List.Item>
            ))}
          </List>
        )}
        <Text size="sm">{away ? text.state.unreachableHint : problem.hint}</Text>
        <Group gap="xs">
          {retry && (
            <Button size="xs" variant="light" color="red" onClick={retry}>
              {text.state.retry}
            </Button>
          )}
          <CopyButton value={copied.filter(Boolean).join("\n")}>
            {({ copied: done, copy }) => (
              <Button size="xs" variant="subtle" color="red" onClick={copy}>
                {done ? text.state.copied : text.state.copy}
              </Button>
            )}
          </CopyButton>
          {problem.code && <Text size="xs">{problem.code}</Text>}
        </Group>
      </Stack>
    </Alert>
  );
}
