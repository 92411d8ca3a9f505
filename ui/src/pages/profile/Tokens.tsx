import { Button, Group, Paper, SegmentedControl, Stack, Table, Text, Title } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconPlus } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { revokeToken, tokensQuery, type Token } from "../../api/people";
import { useNow } from "../../app/clock";
import { useMe } from "../../app/session";
import { Confirm } from "../../parts/Confirm";
import { Empty } from "../../parts/Empty";
import { Loaded } from "../../parts/Loaded";
import { Ago, At } from "../../parts/Time";
import { text } from "../../text/en";
import { profileText } from "../../text/people";
import { TokenDialog } from "./TokenDialog";

const words = profileText.tokens;
const route = getRouteApi("/inside/profile");

/** API tokens: one's own, and for administrators everybody's. */
export function Tokens() {
  const me = useMe();
  const { tokens: whose } = route.useSearch();
  const navigate = route.useNavigate();
  const query = useQuery(tokensQuery);
  const [making, setMaking] = useState(false);
  const [revoked, setRevoked] = useState<Token>();
  const all = whose === "all" && me.role === "Administrator";
  return (
    <Paper withBorder p="md" component="section" aria-label={words.title}>
      <Stack gap="sm">
        <Group justify="space-between">
          <Title order={2}>{words.title}</Title>
          <Group gap="xs">
            {me.role === "Administrator" && (
              <SegmentedControl
                size="xs"
                aria-label={words.whose}
                value={all ? "all" : "mine"}
                onChange={(value) =>
                  void navigate({ search: value === "all" ? { tokens: "all" } : {}, replace: true })
                }
                data={[
                  { value: "mine", label: words.mine },
                  { value: "all", label: words.all },
                ]}
              />
            )}
            <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={() => setMaking(true)}>
              {words.add}
            </Button>
          </Group>
        </Group>
        <Text size="sm" c="dimmed" maw={640}>
          {words.hint}
        </Text>
        <Loaded query={query}>
          {({ data }) => (
            <TokenTable
              tokens={data.filter((token) => all || token.user === me.username)}
              owners={all}
              onRevoke={setRevoked}
            />
          )}
        </Loaded>
      </Stack>
      {making && <TokenDialog onClose={() => setMaking(false)} />}
      {revoked && <RevokeDialog token={revoked} onClose={() => setRevoked(undefined)} />}
    </Paper>
  );
}

function TokenTable({
  tokens,
  owners,
  onRevoke,
}: {
  tokens: readonly Token[];
  owners: boolean;
  onRevoke: (token: Token) => void;
}) {
  if (tokens.length === 0) return <Empty title={text.state.none("API token")}>{words.none}</Empty>;
  return (
    <Table verticalSpacing="xs" style={{ overflowWrap: "anywhere" }}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{words.name}</Table.Th>
          {owners && <Table.Th>{words.owner}</Table.Th>}
          <Table.Th visibleFrom="sm">{words.role}</Table.Th>
          <Table.Th visibleFrom="md">{words.made}</Table.Th>
          <Table.Th visibleFrom="sm">{words.until}</Table.Th>
          <Table.Th w={100}>{words.revoke}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {tokens.map((token) => (
          <Table.Tr key={token.id} data-token={token.name}>
            <Table.Td>
              {token.name}
              <Text size="xs" c="dimmed" hiddenFrom="sm">
                {token.role}, {words.until.toLowerCase()} <End token={token} />
              </Text>
            </Table.Td>
            {owners && <Table.Td>{token.user}</Table.Td>}
            <Table.Td visibleFrom="sm">{token.role}</Table.Td>
            <Table.Td visibleFrom="md">
              <Ago ms={token.created_at} />
            </Table.Td>
            <Table.Td visibleFrom="sm">
              <End token={token} />
            </Table.Td>
            <Table.Td>
              <Button
                size="compact-sm"
                variant="default"
                aria-label={words.revokeOf(token.name)}
                onClick={() => onRevoke(token)}
              >
                {words.revoke}
              </Button>
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

function End({ token }: { token: Token }) {
  const now = useNow();
  if (!token.expires_at) return words.never;
  if (Date.parse(token.expires_at) <= now) return words.ended;
  return <At ms={token.expires_at} />;
}

function RevokeDialog({ token, onClose }: { token: Token; onClose: () => void }) {
  const client = useQueryClient();
  const revoke = useMutation({
    mutationFn: () => revokeToken(token.id),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: tokensQuery.queryKey });
      notifications.show({ message: words.revoked(token.name), color: "teal" });
      onClose();
    },
  });
  return (
    <Confirm
      danger
      title={words.revokeTitle(token.name)}
      submit={words.revoke}
      pending={revoke.isPending}
      error={revoke.error}
      onConfirm={() => revoke.mutate()}
      onClose={onClose}
    >
      {words.revokeHint(token.user, token.role)}
    </Confirm>
  );
}
