import { Box, Button, Code, Group, Paper, Stack, Table, Text, TextInput, Title } from "@mantine/core";
import { IconLock, IconPlus, IconSearch } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { brief, isSecret, settingsQuery, type Setting } from "../../api/settings";
import { count } from "../../format/numbers";
import { Empty } from "../../parts/Empty";
import { Loaded } from "../../parts/Loaded";
import { Ago } from "../../parts/Time";
import { text } from "../../text/en";
import { settingsText } from "../../text/settings";
import { RemoveSetting } from "./RemoveSetting";
import { SettingDialog } from "./SettingDialog";
import type { SettingsSearch } from "./search";

const words = settingsText.list;
const route = getRouteApi("/inside/settings");

/** Settings that are not at their default. */
export function SettingsList() {
  const { search, open, name } = route.useSearch();
  const navigate = route.useNavigate();
  const query = useQuery(settingsQuery);
  const go = (to: SettingsSearch) => void navigate({ search: { search, ...to }, replace: true });
  const close = () => go({});
  const named = query.data?.find((setting) => setting.name === name);
  return (
    <Paper withBorder p="md" component="section" aria-label={words.title}>
      <Stack gap="sm">
        <Group justify="space-between">
          <Title order={2}>{words.title}</Title>
          <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={() => go({ open: "add" })}>
            {words.add}
          </Button>
        </Group>
        <Text size="sm" c="dimmed">
          {words.hint}
        </Text>
        <TextInput
          aria-label={words.search}
          placeholder={words.search}
          leftSection={<IconSearch size={16} aria-hidden />}
          maw={360}
          value={search ?? ""}
          onChange={(event) => {
            const value = event.currentTarget.value;
            void navigate({ search: value === "" ? {} : { search: value }, replace: true });
          }}
        />
        <Loaded query={query}>
          {(all) => (
            <Rows all={all} search={search ?? ""} onOpen={(what, which) => go({ open: what, name: which })} />
          )}
        </Loaded>
      </Stack>
      {open === "add" && <SettingDialog setting={undefined} onClose={close} />}
      {open === "change" && named && <SettingDialog setting={named} onClose={close} />}
      {open === "remove" && named && <RemoveSetting setting={named} onClose={close} />}
    </Paper>
  );
}

function Rows({
  all,
  search,
  onOpen,
}: {
  all: readonly Setting[];
  search: string;
  onOpen: (what: "change" | "remove", name: string) => void;
}) {
  const navigate = route.useNavigate();
  if (all.length === 0) return <Empty title={text.state.none(words.setting)}>{words.emptyHint}</Empty>;
  const matching = all.filter(({ name }) => name.toLowerCase().includes(search.toLowerCase()));
  if (matching.length === 0)
    return (
      <Empty
        title={text.state.noneMatches(count(all.length))}
        action={
          <Button variant="default" onClick={() => void navigate({ search: {} })}>
            {text.state.clear}
          </Button>
        }
      />
    );
  return (
    <Table verticalSpacing="xs" layout="fixed" style={{ overflowWrap: "anywhere" }}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{words.columns.name}</Table.Th>
          <Table.Th visibleFrom="sm">{words.columns.value}</Table.Th>
          <Table.Th w={150} visibleFrom="md">
            {words.columns.changed}
          </Table.Th>
          <Table.Th w={120}>{words.columns.actions}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {matching.map((setting) => (
          <Row key={setting.name} setting={setting} onOpen={onOpen} />
        ))}
      </Table.Tbody>
    </Table>
  );
}

function Row({
  setting,
  onOpen,
}: {
  setting: Setting;
  onOpen: (what: "change" | "remove", name: string) => void;
}) {
  const secret = isSecret(setting.value);
  return (
    <Table.Tr data-setting={setting.name}>
      <Table.Td>
        <Text size="sm" fw={600}>
          {setting.name}
        </Text>
        <Box hiddenFrom="sm">
          <Value setting={setting} />
        </Box>
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <Value setting={setting} />
      </Table.Td>
      <Table.Td visibleFrom="md">
        <Ago ms={setting.changed_at} />
      </Table.Td>
      <Table.Td>
        <Stack gap={4} align="start">
          <Button
            size="compact-sm"
            variant="default"
            aria-label={words.edit(secret ? words.replace : words.change, setting.name)}
            onClick={() => onOpen("change", setting.name)}
          >
            {secret ? words.replace : words.change}
          </Button>
          <Button
            size="compact-sm"
            variant="default"
            aria-label={words.edit(settingsText.remove.submit, setting.name)}
            onClick={() => onOpen("remove", setting.name)}
          >
            {settingsText.remove.submit}
          </Button>
        </Stack>
      </Table.Td>
    </Table.Tr>
  );
}

/** The value; of a secret only that it is set, and since when (D12). */
function Value({ setting }: { setting: Setting }) {
  if (!isSecret(setting.value)) return <Code>{brief(setting.value)}</Code>;
  return (
    <Group gap={6}>
      <IconLock size={16} aria-hidden />
      <Text size="sm">{words.secretSet}</Text>
      <Text size="sm" component="span">
        <Ago ms={setting.changed_at} />
      </Text>
    </Group>
  );
}
