import { Alert, Button, Group, Stack, Table, Text } from "@mantine/core";
import { IconGitMerge } from "@tabler/icons-react";
import { conflictText } from "../text/people";
import type { Change } from "./changes";

/** Says what somebody else has changed under an edit that is open, and asks which version holds. */
export function Conflict({
  changes,
  pending,
  onKeep,
  onTake,
}: {
  changes: readonly Change[];
  pending: boolean;
  onKeep: () => void;
  onTake: () => void;
}) {
  return (
    <Alert color="yellow" icon={<IconGitMerge />} title={conflictText.title} role="alert">
      <Stack gap="xs">
        <Text size="sm">{changes.length > 0 ? conflictText.hint : conflictText.none}</Text>
        {changes.length > 0 && (
          <Table withRowBorders={false} layout="fixed" style={{ overflowWrap: "anywhere" }}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{conflictText.columns.what}</Table.Th>
                <Table.Th>{conflictText.columns.was}</Table.Th>
                <Table.Th>{conflictText.columns.is}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {changes.map(({ what, was, is }) => (
                <Table.Tr key={what}>
                  <Table.Td>{what}</Table.Td>
                  <Table.Td>{was || "–"}</Table.Td>
                  <Table.Td>{is || "–"}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        )}
        <Group gap="xs">
          <Button size="xs" variant="default" onClick={onTake}>
            {conflictText.take}
          </Button>
          <Button size="xs" variant="default" loading={pending} onClick={onKeep}>
            {conflictText.keep}
          </Button>
        </Group>
      </Stack>
    </Alert>
  );
}
