import { Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { startWorkflow, stopWorkflow, type Workflow } from "../../api/workflows";
import { useLive } from "../../app/live";
import { ActionButton } from "../../parts/Action";
import { Confirm } from "../../parts/Confirm";
import { plural } from "../../format/numbers";
import { waitingMessages } from "../../status/states";
import { text as base } from "../../text/en";
import { workflowText } from "../../text/workflows";

/** Starts or stops a workflow, and says before what follows from it. */
export function StartStop({ workflow, size = "sm" }: { workflow: Workflow; size?: string }) {
  const [asked, setAsked] = useState(false);
  const client = useQueryClient();
  const pulse = useLive((live) => live.pulses[workflow.id]);
  const { id, active } = workflow;
  const words = active ? workflowText.stop : workflowText.start;
  const label = active ? base.action.stop : base.action.start;
  const change = useMutation({
    mutationFn: () => (active ? stopWorkflow(id) : startWorkflow(id)),
    onSuccess: async () => {
      setAsked(false);
      notifications.show({ message: words.done(id) });
      await Promise.all([
        client.invalidateQueries({ queryKey: ["workflows"] }),
        client.invalidateQueries({ queryKey: ["workflow", id] }),
      ]);
    },
  });
  const status = pulse?.status ?? workflow.status;
  return (
    <>
      <ActionButton
        operation={active ? "stopWorkflow" : "startWorkflow"}
        variant={active ? "default" : "filled"}
        size={size}
        aria-label={`${label} ${id}`}
        onClick={() => {
          change.reset();
          setAsked(true);
        }}
      >
        {label}
      </ActionButton>
      {asked && (
        <Confirm
          title={words.title(id)}
          submit={label}
          pending={change.isPending}
          error={change.error}
          onConfirm={() => change.mutate()}
          onClose={() => setAsked(false)}
        >
          <Text size="sm">{active ? workflowText.stop.text : workflowText.start.text(workflow.version)}</Text>
          {active && (
            <Text size="sm">
              {status
                ? workflowText.stop.waiting(plural(waitingMessages(status), "message"))
                : workflowText.stop.unknown}
            </Text>
          )}
        </Confirm>
      )}
    </>
  );
}
