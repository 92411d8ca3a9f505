import { Paper, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { databaseQuery, nodeQuery } from "../../api/settings";
import { Facts } from "../../parts/Facts";
import { Loaded } from "../../parts/Loaded";
import { Needs } from "../../parts/Needs";
import { Page } from "../../parts/Page";
import { settingsText } from "../../text/settings";
import { SettingsList } from "./SettingsList";

/** What this node is, where the metadata is, and settings of the platform. */
export function SettingsPage() {
  return (
    <Page title={settingsText.title}>
      <Needs operation="listSettings" role="Administrator">
        <SimpleGrid cols={{ base: 1, md: 2 }}>
          <Node />
          <Store />
        </SimpleGrid>
        <SettingsList />
      </Needs>
    </Page>
  );
}

function Box({ title, hint, children }: { title: string; hint?: string; children: ReactNode }) {
  return (
    <Paper withBorder p="md" component="section" aria-label={title}>
      <Stack gap="sm">
        <Title order={2}>{title}</Title>
        {children}
        {hint && (
          <Text size="sm" c="dimmed">
            {hint}
          </Text>
        )}
      </Stack>
    </Paper>
  );
}

function Node() {
  const query = useQuery(nodeQuery);
  const words = settingsText.node;
  return (
    <Box title={words.title}>
      <Loaded query={query}>
        {(node) => (
          <Facts
            facts={[
              [words.name, node.name],
              [words.version, node.version],
              [words.mode, words.modes[node.mode] ?? node.mode],
              [words.runs, node.runs_workflows ? words.yes : words.no],
            ]}
          />
        )}
      </Loaded>
    </Box>
  );
}

function Store() {
  const query = useQuery(databaseQuery);
  const words = settingsText.database;
  return (
    <Box title={words.title} hint={words.hint}>
      <Loaded query={query}>
        {({ type, conn }) => (
          <Facts
            facts={[
              [words.type, type],
              [words.conn, conn || words.none],
            ]}
          />
        )}
      </Loaded>
    </Box>
  );
}
