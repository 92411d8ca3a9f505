import {
  Alert,
  Button,
  Code,
  CopyButton,
  Group,
  Modal,
  NativeSelect,
  Stack,
  Text,
  TextInput,
} from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { makeToken, rolesUpTo, tokensQuery, type Role } from "../../api/people";
import { useMe } from "../../app/session";
import { Failure } from "../../parts/Failure";
import { FormDialog } from "../../parts/FormDialog";
import { text } from "../../text/en";
import { profileText } from "../../text/people";

const words = profileText.tokens;

type End = keyof typeof words.ends;
const ENDS = Object.entries(words.ends).map(([value, label]) => ({ value, label }));

/** Makes a token, and shows it this once. */
export function TokenDialog({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const me = useMe();
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("Viewer");
  const [end, setEnd] = useState<End>("90");
  const make = useMutation({
    // Nothing but this dialog ever holds it.
    gcTime: 0,
    mutationFn: () => makeToken({ name, role, expires_in_days: end === "never" ? null : Number(end) }),
    onSuccess: () => client.invalidateQueries({ queryKey: tokensQuery.queryKey }),
  });
  if (make.data) return <Once token={make.data.token} onClose={onClose} />;
  return (
    <FormDialog
      title={words.add}
      submit={words.submit}
      pending={make.isPending}
      onSubmit={() => make.mutate()}
      onClose={onClose}
    >
      <TextInput
        label={words.name}
        description={words.nameHint}
        required
        maxLength={100}
        autoComplete="off"
        data-autofocus
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <NativeSelect
        label={words.role}
        description={words.roleHint}
        data={[...rolesUpTo(me.role)]}
        value={role}
        onChange={(event) => setRole(event.currentTarget.value as Role)}
      />
      <NativeSelect
        label={words.end}
        data={ENDS}
        value={end}
        onChange={(event) => setEnd(event.currentTarget.value as End)}
      />
      {make.error && <Failure error={make.error} />}
    </FormDialog>
  );
}

/** The token. It closes only by its button: a slip must not lose what cannot be shown again. */
function Once({ token, onClose }: { token: string; onClose: () => void }) {
  return (
    <Modal
      opened
      onClose={onClose}
      title={words.onceTitle}
      closeOnClickOutside={false}
      closeOnEscape={false}
      withCloseButton={false}
    >
      <Stack gap="sm">
        <Alert color="yellow" icon={<IconAlertTriangle />}>
          {words.once}
        </Alert>
        <Group gap="xs" align="end" wrap="nowrap">
          <TextInput
            label={words.onceLabel}
            readOnly
            value={token}
            style={{ flex: 1 }}
            styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)" } }}
            onFocus={(event) => event.currentTarget.select()}
          />
          <CopyButton value={token}>
            {({ copied, copy }) => (
              <Button variant="default" onClick={copy} data-autofocus>
                {copied ? text.state.copied : text.state.copy}
              </Button>
            )}
          </CopyButton>
        </Group>
        <Text size="sm">{words.onceUse}</Text>
        <Code block>Authorization: Bearer hmd_…</Code>
        <Group justify="flex-end">
          <Button onClick={onClose}>{words.onceClose}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
