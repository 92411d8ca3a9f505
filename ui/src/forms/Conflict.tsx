import { Alert, Button, Group, Stack, Text } from "@mantine/core";
import { IconGitMerge } from "@tabler/icons-react";
import { connectionText } from "../text/connections";
import { Diff } from "./Diff";

const text = connectionText.conflict;

/** Two people have changed one document: what each has changed of what both began with. Nothing is decided by itself. */
export function Conflict({
  base,
  mine,
  theirs,
  pending,
  onOver,
  onTake,
}: {
  base: string;
  mine: string;
  theirs: string;
  pending: boolean;
  onOver: () => void;
  onTake: () => void;
}) {
  return (
    <Alert color="yellow" role="alert" icon={<IconGitMerge />} title={text.title} data-testid="conflict">
      <Stack gap="xs">
        <Text size="sm">{text.hint}</Text>
        <Text size="sm" fw={600}>
          {text.theirs}
        </Text>
        <Diff before={base} after={theirs} label={text.theirs} />
        <Text size="sm" fw={600}>
          {text.mine}
        </Text>
        <Diff before={base} after={mine} label={text.mine} />
        <Group gap="xs">
          <Button size="xs" variant="default" loading={pending} onClick={onOver}>
            {text.over}
          </Button>
          <Button size="xs" variant="default" onClick={onTake}>
            {text.take}
          </Button>
        </Group>
      </Stack>
    </Alert>
  );
}
