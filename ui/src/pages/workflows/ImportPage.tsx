import { Alert, Checkbox, FileButton, Button, Group, Stack, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconCheck } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { asProblem } from "../../api/problem";
import { importBundle, validateBundle } from "../../api/workflows";
import { useMay } from "../../app/session";
import { ActionButton } from "../../parts/Action";
import { useDraft } from "../../forms/drafts";
import { JsonText, syntaxError } from "../../forms/JsonText";
import { Failure } from "../../parts/Failure";
import { Page } from "../../parts/Page";
import { workflowText } from "../../text/workflows";
import { SCRATCH } from "./catalog";

const text = workflowText.importing;

/** Takes a bundle, as a file or as text, and shows everything that is wrong with it at once. */
export function ImportPage() {
  const { scratch } = useSearch({ from: "/inside/workflows/import" });
  const initial = scratch ? JSON.stringify(SCRATCH, null, 2) : "";
  const [draft, setDraft] = useDraft<string>(scratch ? "workflows/scratch" : "workflows/import");
  const value = draft?.value ?? initial;
  const [replace, setReplace] = useState(false);
  const [broken, setBroken] = useState<string>();
  const may = useMay()("importBundle");
  const client = useQueryClient();
  const navigate = useNavigate();
  const check = useMutation({ mutationFn: () => validateBundle(value) });
  const take = useMutation({
    mutationFn: () => importBundle(value, replace),
    onSuccess: async ({ id }) => {
      setDraft(undefined);
      for (const key of ["workflows", "sources", "sinks"])
        await client.invalidateQueries({ queryKey: [key] });
      await client.invalidateQueries({ queryKey: ["workflow", id] });
      notifications.show({ message: text.done(id) });
      await navigate({ to: "/workflows/$id", params: { id } });
    },
  });
  const write = (next: string) => {
    setDraft({ value: next, base: initial, etag: "" });
    check.reset();
    take.reset();
    setBroken(undefined);
  };
  const unlessBroken = (run: () => void) => () => {
    check.reset();
    take.reset();
    const error = syntaxError(value);
    setBroken(error && `${text.syntax}: ${error}`);
    if (error === undefined) run();
  };
  const failed = take.error ?? check.error;
  const found = failed ? asProblem(failed).at : (check.data?.problems ?? []);
  const good = check.data?.valid === true;
  return (
    <Page title={scratch ? workflowText.scratch : text.title}>
      <Stack gap="md" maw={900}>
        <Text c="dimmed">{text.hint}</Text>
        <Group>
          <FileButton
            accept="application/json,.json"
            onChange={(file) => {
              if (file) void file.text().then(write);
            }}
            inputProps={{ "aria-label": text.file }}
          >
            {(props) => (
              <Button {...props} variant="default" disabled={!may}>
                {text.file}
              </Button>
            )}
          </FileButton>
        </Group>
        <JsonText
          label={text.text}
          value={value}
          onChange={write}
          readOnly={!may}
          error={broken}
          title={good ? text.warnings : text.problems}
          problems={found}
        />
        {good && found.length === 0 && (
          <Alert color="teal" role="status" icon={<IconCheck />} title={text.fine} />
        )}
        {failed && found.length === 0 && <Failure error={failed} />}
        <Checkbox
          label={text.replace}
          checked={replace}
          disabled={!may}
          onChange={(event) => setReplace(event.currentTarget.checked)}
        />
        <Group gap="xs">
          <ActionButton
            operation="importBundle"
            loading={take.isPending}
            onClick={unlessBroken(() => take.mutate())}
          >
            {text.go}
          </ActionButton>
          <ActionButton
            operation="validateBundle"
            variant="default"
            loading={check.isPending}
            onClick={unlessBroken(() => check.mutate())}
          >
            {text.check}
          </ActionButton>
        </Group>
      </Stack>
    </Page>
  );
}
