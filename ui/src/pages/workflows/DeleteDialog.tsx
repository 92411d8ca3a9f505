import { Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { asProblem } from "../../api/problem";
import { deleteWorkflow, workflowQuery, type Workflow } from "../../api/workflows";
import { Confirm } from "../../parts/Confirm";
import { plural } from "../../format/numbers";
import { text as base } from "../../text/en";
import { workflowText } from "../../text/workflows";

const text = workflowText.delete;

/** What a refusal says that a workflow holds; nothing where it refuses for another reason. */
export function heldBy(detail: string): { messages: number; dead: number } | undefined {
  const found = /holds (\d+) messages and (\d+) dead letters/.exec(detail);
  return found ? { messages: Number(found[1]), dead: Number(found[2]) } : undefined;
}

/** Deletes a workflow. One that holds messages is refused first, with their counts; giving them up is asked on its own. */
export function DeleteDialog({
  workflow,
  onDone,
  onClose,
}: {
  workflow: Workflow;
  onDone: () => void;
  onClose: () => void;
}) {
  const { id } = workflow;
  const client = useQueryClient();
  const remove = useMutation({
    mutationFn: (discard: boolean) => deleteWorkflow(id, workflow.etag, discard),
    onSuccess: async () => {
      notifications.show({ message: text.done(id) });
      onDone();
      client.removeQueries({ queryKey: workflowQuery(id).queryKey });
      await client.invalidateQueries({ queryKey: ["workflows"] });
    },
  });
  const problem = remove.error ? asProblem(remove.error) : undefined;
  const held = problem?.status === 409 ? heldBy(problem.message) : undefined;
  return (
    <Confirm
      title={text.title(id)}
      submit={held ? text.discard : base.action.delete}
      danger
      pending={remove.isPending}
      error={held ? undefined : remove.error}
      onConfirm={() => remove.mutate(held !== undefined)}
      onClose={onClose}
    >
      <Text size="sm">{text.text}</Text>
      {workflow.active && <Text size="sm">{text.running}</Text>}
      {held && (
        <Text size="sm" fw={600} role="alert">
          {text.holds(plural(held.messages, "message"), plural(held.dead, "dead letter"))}
        </Text>
      )}
    </Confirm>
  );
}
