import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { text } from "../text/en";
import { Failure } from "./Failure";

/** Asks before something that cannot be undone. The focus is on Cancel. */
export function Confirm({
  title,
  children,
  submit,
  pending,
  error,
  onConfirm,
  onClose,
}: {
  title: string;
  children: ReactNode;
  submit: string;
  pending: boolean;
  error: unknown;
  onConfirm: () => void;
  onClose: () => void;
}) {
  return (
    <Modal opened onClose={onClose} title={title} closeButtonProps={{ "aria-label": text.action.close }}>
      <Stack gap="md">
        <Text size="sm">{children}</Text>
        {error != null && <Failure error={error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose} data-autofocus>
            {text.action.cancel}
          </Button>
          <Button color="red" loading={pending} onClick={onConfirm}>
            {submit}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
