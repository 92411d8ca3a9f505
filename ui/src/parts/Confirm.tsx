import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useState, type ReactNode } from "react";
import { confirmText } from "../text/confirm";
import { text } from "../text/en";
import { Failure } from "./Failure";

interface Props {
  title: string;
  /** What happens: names, counts, consequence. */
  children: ReactNode;
  /** The word on the button that does it. */
  submit: string;
  /** Something is lost or ends by it. */
  danger?: boolean;
  /** What has to be typed first, where data would be lost. */
  typed?: string | undefined;
  /** What was asked for cannot be any more; the dialog says why. */
  blocked?: boolean;
  pending?: boolean;
  error?: unknown;
  size?: string;
  onConfirm: () => void;
  onClose: () => void;
}

/** Asks before something is done. The focus is on Cancel; Enter obeys what has to be typed. */
export function Confirm(props: Props) {
  const { title, children, submit, danger, typed, blocked, pending, error, size, onConfirm, onClose } = props;
  const [given, setGiven] = useState("");
  const [refused, setRefused] = useState(false);
  const matches = typed === undefined || given === typed;
  return (
    <Modal
      opened
      onClose={onClose}
      title={title}
      size={size ?? "md"}
      closeButtonProps={{ "aria-label": text.action.close }}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setRefused(!matches);
          if (matches && !blocked) onConfirm();
        }}
      >
        <Stack gap="sm">
          {typeof children === "string" ? <Text size="sm">{children}</Text> : children}
          {typed !== undefined && (
            <TextInput
              label={confirmText.type(typed)}
              value={given}
              autoComplete="off"
              error={refused && !matches ? confirmText.mismatch : undefined}
              onChange={(event) => setGiven(event.currentTarget.value)}
            />
          )}
          {error != null && <Failure error={error} />}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose} data-autofocus>
              {text.action.cancel}
            </Button>
            <Button
              type="submit"
              disabled={blocked ?? false}
              loading={pending ?? false}
              {...(danger ? { color: "red" } : {})}
            >
              {submit}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
