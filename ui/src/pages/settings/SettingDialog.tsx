import { Alert, PasswordInput, SegmentedControl, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { asProblem } from "../../api/problem";
import {
  DEFAULT_TAG,
  brief,
  draftOf,
  isSecret,
  readSetting,
  saveSetting,
  settingsQuery,
  shown,
  type Setting,
} from "../../api/settings";
import { changesOf } from "../../parts/changes";
import { Conflict } from "../../parts/Conflict";
import { Failure } from "../../parts/Failure";
import { FormDialog } from "../../parts/FormDialog";
import { text } from "../../text/en";
import { settingsText } from "../../text/settings";

const words = settingsText.form;
const FIELDS = [[words.what, (setting: Setting) => brief(setting.value)]] as const;

type Kind = "text" | "json";

/** The value as it is first shown: a secret never is. */
function firstOf(setting: Setting | undefined): { kind: Kind; text: string } {
  if (!setting || isSecret(setting.value)) return { kind: "text", text: "" };
  return shown(setting.value);
}

/** Makes a setting, changes one, or replaces one that is a secret. */
export function SettingDialog({ setting, onClose }: { setting: Setting | undefined; onClose: () => void }) {
  const client = useQueryClient();
  // The list goes on while it is open; the edit keeps what it began with.
  const [began, setBegan] = useState(setting);
  const [name, setName] = useState(setting?.name ?? "");
  const [{ kind, text: value }, setValue] = useState(() => firstOf(setting));
  const [missing, setMissing] = useState<string>();
  const [theirs, setTheirs] = useState<Setting>();
  const secret = began !== undefined && isSecret(began.value);
  const save = useMutation({
    mutationFn: ({ draft, etag }: { draft: string; etag: string }) => saveSetting(name, etag, draft),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: settingsQuery.queryKey });
      notifications.show({ message: settingsText.done.saved(name), color: "teal" });
      onClose();
    },
    onError: async (error) => {
      if (asProblem(error).isConflict) setTheirs(await readSetting(name));
    },
  });
  const faultOf = (): string | undefined => {
    if (name.trim() === "") return words.nameMissing;
    if (secret && value === "") return words.secretMissing;
    try {
      draftOf(kind, value);
      return undefined;
    } catch (error) {
      return words.badJson(error instanceof Error ? error.message : String(error));
    }
  };
  const submit = (etag: string) => {
    const fault = faultOf();
    setMissing(fault);
    if (fault === undefined) save.mutate({ draft: draftOf(kind, value), etag });
  };
  const take = () => {
    if (!theirs) return;
    setBegan(theirs);
    setValue(firstOf(theirs));
    setTheirs(undefined);
    save.reset();
  };
  const title = began ? (secret ? words.replaceTitle(name) : words.editTitle(name)) : words.addTitle;
  return (
    <FormDialog
      title={title}
      size="lg"
      submit={text.action.save}
      pending={save.isPending}
      onSubmit={() => submit(began?.etag ?? DEFAULT_TAG)}
      onClose={onClose}
    >
      {!began && (
        <TextInput
          label={words.name}
          description={words.nameHint}
          maxLength={100}
          autoComplete="off"
          data-autofocus
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
      )}
      {secret ? (
        <PasswordInput
          label={words.secret}
          description={words.secretHint}
          autoComplete="off"
          data-autofocus
          value={value}
          onChange={(event) => setValue({ kind: "text", text: event.currentTarget.value })}
        />
      ) : (
        <Value
          kind={kind}
          value={value}
          focused={began !== undefined}
          onChange={(to, next) => setValue({ kind: to, text: next })}
        />
      )}
      {missing && (
        <Alert color="red" role="alert">
          {missing}
        </Alert>
      )}
      {theirs ? (
        <Conflict
          changes={changesOf(began ?? { ...theirs, value: "" }, theirs, FIELDS)}
          pending={save.isPending}
          onKeep={() => submit(theirs.etag)}
          onTake={take}
        />
      ) : (
        save.error && <Failure error={save.error} />
      )}
    </FormDialog>
  );
}

function Value({
  kind,
  value,
  focused,
  onChange,
}: {
  kind: Kind;
  value: string;
  focused: boolean;
  onChange: (kind: Kind, value: string) => void;
}) {
  return (
    <Stack gap="sm">
      <Stack gap={4}>
        <Text size="sm" fw={500} aria-hidden>
          {words.kind}
        </Text>
        <SegmentedControl
          aria-label={words.kind}
          style={{ alignSelf: "start" }}
          value={kind}
          onChange={(to) => onChange(to, value)}
          data={[
            { value: "text", label: words.kinds.text },
            { value: "json", label: words.kinds.json },
          ]}
        />
      </Stack>
      <Textarea
        label={words.value}
        description={kind === "json" ? words.jsonHint : undefined}
        autosize
        minRows={kind === "json" ? 3 : 1}
        maxRows={16}
        spellCheck={false}
        styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)" } }}
        data-autofocus={focused || undefined}
        value={value}
        onChange={(event) => onChange(kind, event.currentTarget.value)}
      />
    </Stack>
  );
}
