import { Group, Stack, Text, TextInput } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { asProblem } from "../../api/problem";
import { readWorkflow, saveEdit, type Held } from "../../api/workflows";
import { useMay } from "../../app/session";
import { ActionButton } from "../../parts/Action";
import { Conflict } from "../../forms/Conflict";
import { useDraft } from "../../forms/drafts";
import { JsonText, syntaxError } from "../../forms/JsonText";
import { Failure } from "../../parts/Failure";
import { connectionText } from "../../text/connections";
import { text as base } from "../../text/en";
import { workflowText } from "../../text/workflows";

const text = workflowText.text;

/** The document as text. The edit belongs to the version that it began with, whatever comes in between (D2, D3). */
export function TextEdit({ held }: { held: Held }) {
  const { id } = held.view;
  const may = useMay()("updateWorkflow");
  const client = useQueryClient();
  const [draft, setDraft] = useDraft<string>(`workflow/${id}`);
  const [message, setMessage] = useState("");
  const [broken, setBroken] = useState<string>();
  const value = draft?.value ?? held.text;
  const from = draft ?? { value: held.text, base: held.text, etag: held.etag };
  const save = useMutation({
    mutationFn: (on: { base: string; etag: string }) => saveEdit({ id, text: value, message, ...on }),
    onSuccess: async (saved) => {
      client.setQueryData(["workflow", id], saved);
      setDraft(undefined);
      setMessage("");
      notifications.show({ message: text.saved(saved.view.version) });
      await Promise.all([
        client.invalidateQueries({ queryKey: ["workflow", id] }),
        client.invalidateQueries({ queryKey: ["workflows"] }),
      ]);
    },
  });
  const problem = save.error ? asProblem(save.error) : undefined;
  const stale = problem?.isConflict === true;
  const theirs = useQuery({
    queryKey: ["theirs", "workflow", id, save.submittedAt],
    queryFn: () => readWorkflow(id),
    enabled: stale,
  });
  const write = (next: string) => {
    setBroken(undefined);
    setDraft(next === from.base ? undefined : { ...from, value: next });
  };
  const problems = problem?.at ?? [];
  return (
    <Stack gap="sm">
      <JsonText
        label={text.label}
        description={text.hint}
        value={value}
        onChange={write}
        readOnly={!may}
        error={broken}
        title={text.problems}
        problems={problems}
      />
      {stale && theirs.data && (
        <Conflict
          base={from.base}
          mine={value}
          theirs={theirs.data.text}
          pending={save.isPending}
          onOver={() => save.mutate({ base: theirs.data.text, etag: theirs.data.etag })}
          onTake={() => {
            save.reset();
            setDraft(undefined);
            void client.invalidateQueries({ queryKey: ["workflow", id] });
          }}
        />
      )}
      {save.error && !stale && problems.length === 0 && <Failure error={save.error} />}
      {draft && draft.base !== held.text && !stale && (
        <Text size="sm" role="status" fw={600}>
          {text.newer}
        </Text>
      )}
      <TextInput
        label={text.message}
        description={text.messageHint}
        maxLength={500}
        disabled={!may}
        value={message}
        onChange={(event) => setMessage(event.currentTarget.value)}
      />
      <Group gap="xs">
        <ActionButton
          operation="updateWorkflow"
          loading={save.isPending}
          onClick={() => {
            const error = syntaxError(value);
            setBroken(error && `${workflowText.importing.syntax}: ${error}`);
            if (error === undefined) save.mutate({ base: from.base, etag: from.etag });
          }}
        >
          {base.action.save}
        </ActionButton>
        {draft && (
          <ActionButton
            operation="updateWorkflow"
            variant="subtle"
            onClick={() => {
              save.reset();
              setBroken(undefined);
              setDraft(undefined);
            }}
          >
            {connectionText.discard}
          </ActionButton>
        )}
        {draft && (
          <Text size="sm" role="status">
            {connectionText.dirty}. {connectionText.dirtyKept}
          </Text>
        )}
      </Group>
    </Stack>
  );
}
