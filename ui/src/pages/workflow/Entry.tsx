import {
  ActionIcon,
  Alert,
  Button,
  Code,
  CopyButton,
  Group,
  List,
  PasswordInput,
  Stack,
  Text,
  Textarea,
  Title,
  Tooltip,
} from "@mantine/core";
import { IconCheck, IconCopy } from "@tabler/icons-react";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { connectionQuery } from "../../api/connections";
import type { Workflow } from "../../api/workflows";
import { useLive } from "../../app/live";
import type { JsonObject } from "../../format/exact";
import { plural } from "../../format/numbers";
import { Failure } from "../../parts/Failure";
import { text as base } from "../../text/en";
import { workflowText } from "../../text/workflows";
import { curlLine, entryPoint, moved, sampleBody, sendTest, type EntryPoint } from "./entry-point";
import { graphOf } from "./graph-of";

const text = workflowText.entry;
type Status = NonNullable<Workflow["status"]>;

/** Where messages go in, for sources that are pushed to; nothing for others. */
export function Entry({ workflow, document }: { workflow: Workflow; document: JsonObject }) {
  const source = graphOf(document).nodes.find((node) => node.type === "source")?.ref;
  const { data } = useQuery({
    ...connectionQuery("sources", source ?? ""),
    enabled: source !== undefined,
  });
  const entry = data && entryPoint(data.document);
  return entry ? <Send key={entry.path} workflow={workflow} entry={entry} /> : null;
}

function Send({ workflow, entry }: { workflow: Workflow; entry: EntryPoint }) {
  const { id } = workflow;
  const [body, setBody] = useState(() => sampleBody(entry));
  const [secret, setSecret] = useState("");
  const [before, setBefore] = useState<{ status: Status | undefined; atMs: number }>();
  const signs = entry.guarded && entry.type === "webhook";
  const insecure = signs && !window.isSecureContext;
  const send = useMutation({
    mutationFn: async () => {
      const status = useLive.getState().pulses[id]?.status ?? workflow.status ?? undefined;
      setBefore({ status, atMs: Date.now() });
      // A source that refuses a secret says 401 too; that is an answer, and not the end of the session.
      try {
        return { accepted: await sendTest(entry, body, secret) };
      } catch (error) {
        return { refused: error };
      }
    },
  });
  const { origin } = window.location;
  return (
    <Stack component="section" gap="sm" mb="lg" aria-label={text.title} maw={900}>
      <Title order={2}>{text.title}</Title>
      <Copied label={text.url} value={origin + entry.path} />
      <Copied label={text.curl} value={curlLine(entry, origin, body)} />
      <Textarea
        label={text.body}
        autosize
        minRows={1}
        maxRows={12}
        spellCheck={false}
        value={body}
        onChange={(event) => setBody(event.currentTarget.value)}
        styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: 13 } }}
      />
      {entry.guarded && (
        <PasswordInput
          label={text.secret}
          description={text.secretHint}
          autoComplete="off"
          value={secret}
          onChange={(event) => setSecret(event.currentTarget.value)}
        />
      )}
      {!workflow.active && <Text size="sm">{text.stopped}</Text>}
      {insecure && <Text size="sm">{text.insecure}</Text>}
      <Group>
        <Button loading={send.isPending} disabled={insecure} onClick={() => send.mutate()}>
          {text.send}
        </Button>
      </Group>
      {send.data?.refused !== undefined && <Failure error={send.data.refused} />}
      {send.data?.accepted !== undefined && before && (
        <Accepted id={id} accepted={send.data.accepted} before={before} />
      )}
    </Stack>
  );
}

function Copied({ label, value }: { label: string; value: string }) {
  return (
    <div>
      <Text size="sm" fw={500}>
        {label}
      </Text>
      <Group gap="xs" wrap="nowrap" align="flex-start">
        <Code block style={{ flex: 1, minWidth: 0, whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
          {value}
        </Code>
        <CopyButton value={value}>
          {({ copied, copy }) => (
            <Tooltip label={copied ? base.state.copied : base.state.copy}>
              <ActionIcon
                variant="default"
                size="lg"
                onClick={copy}
                aria-label={`${copied ? base.state.copied : base.state.copy}: ${label}`}
              >
                {copied ? <IconCheck size={16} /> : <IconCopy size={16} />}
              </ActionIcon>
            </Tooltip>
          )}
        </CopyButton>
      </Group>
    </div>
  );
}

/** That it was accepted is one fact; what each sink has confirmed since is another. */
function Accepted({
  id,
  accepted,
  before,
}: {
  id: string;
  accepted: string;
  before: { status: Status | undefined; atMs: number };
}) {
  const now = useLive((live) => live.pulses[id]?.status);
  const since =
    now && now.at_ms > (before.status?.at_ms ?? before.atMs) ? moved(before.status, now) : undefined;
  const shown = (more: number | undefined) =>
    more === undefined ? "–" : more === 0 ? text.unchanged : text.times(plural(more, "message"));
  return (
    <Alert
      color="teal"
      role="status"
      icon={<IconCheck />}
      title={text.accepted(accepted)}
      data-testid="accepted"
    >
      {since ? (
        <>
          <Text size="sm">{text.moved}:</Text>
          <List size="sm">
            <List.Item>
              {text.end}: {shown(since.takenIn)}
            </List.Item>
            {since.confirmed.map(({ sink, more }) => (
              <List.Item key={sink}>
                {text.confirmed(sink)}: {shown(more)}
              </List.Item>
            ))}
          </List>
        </>
      ) : (
        <Text size="sm">{text.waiting}</Text>
      )}
    </Alert>
  );
}
