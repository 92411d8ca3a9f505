import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { removeSetting, settingsQuery, type Setting } from "../../api/settings";
import { Confirm } from "../../parts/Confirm";
import { settingsText } from "../../text/settings";

/** Puts a setting back to its default. */
export function RemoveSetting({ setting, onClose }: { setting: Setting; onClose: () => void }) {
  const client = useQueryClient();
  const { name, etag } = setting;
  const words = settingsText.remove;
  const again = () => client.invalidateQueries({ queryKey: settingsQuery.queryKey });
  const remove = useMutation({
    mutationFn: () => removeSetting(name, etag),
    onSuccess: async () => {
      await again();
      notifications.show({ message: settingsText.done.removed(name), color: "teal" });
      onClose();
    },
    onError: again,
  });
  return (
    <Confirm
      danger
      title={words.title(name)}
      submit={words.submit}
      pending={remove.isPending}
      error={remove.error}
      onConfirm={() => remove.mutate()}
      onClose={onClose}
    >
      {words.hint}
    </Confirm>
  );
}
