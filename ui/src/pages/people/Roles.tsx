import { Paper, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { peopleText } from "../../text/people";

/** The roles in plain words. */
export function Roles() {
  const { title, note, table, columns } = peopleText.roles;
  return (
    <Stack gap="xs" component="section" aria-label={title}>
      <Title order={2}>{title}</Title>
      <SimpleGrid cols={{ base: 1, md: 3 }}>
        {table.map(({ role, may, mayNot }) => (
          <Paper key={role} withBorder p="md">
            <Stack gap={6}>
              <Title order={3} size="h5">
                {role}
              </Title>
              <Text size="sm">
                <b>{columns.may}:</b> {may}
              </Text>
              <Text size="sm">
                <b>{columns.mayNot}:</b> {mayNot}
              </Text>
            </Stack>
          </Paper>
        ))}
      </SimpleGrid>
      <Text size="sm" c="dimmed">
        {note}
      </Text>
    </Stack>
  );
}
