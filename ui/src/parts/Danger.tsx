import { Button, Group, Modal, Stack, TextInput } from "@mantine/core";
import { useState, type ReactNode } from "react";
import { danger } from "../text/danger";
import { text } from "../text/en";
import { Failure } from "./Failure";

interface Props {
  title: string;
  /** What happens: names, counts, consequence. */
  children: ReactNode;
  confirm: string;
  /** What has to be typed first, where data would be lost. */
  typed?: string | undefined;
  color?: string;
  pending?: boolean;
  error?: unknown;
  onConfirm: () => void;
  onClose: () => void;
}

/** Asks before something is done that cannot be undone. The focus is on Cancel; Enter obeys what has to be typed. */
export function Danger(props: Props) {
  const { title, children, confirm, typed, color = "red", pending, error, onConfirm, onClose } = props;
  const [given, setGiven] = useState("");
  const [refused, setRefused] = useState(false);
  const matches = typed === undefined || given === typed;
  return (
    <Modal opened onClose={onClose} title={title} closeButtonProps={{ "aria-label": text.action.close }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setRefused(!matches);
          if (matches) onConfirm();
        }}
      >
        <Stack gap="sm">
          {children}
          {typed !== undefined && (
            <TextInput
              label={danger.type(typed)}
              value={given}
              autoComplete="off"
              error={refused && !matches ? danger.mismatch : undefined}
              onChange={(event) => setGiven(event.currentTarget.value)}
            />
          )}
          {error != null && <Failure error={error} />}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose} data-autofocus>
              {text.action.cancel}
            </Button>
            <Button type="submit" color={color} loading={pending ?? false}>
              {confirm}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
