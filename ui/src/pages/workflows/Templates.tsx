import { Anchor, Button, Card, Group, Modal, SimpleGrid, Stack, Text, TextInput } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { asProblem } from "../../api/problem";
import { importBundle, startWorkflow } from "../../api/workflows";
import { useMay } from "../../app/session";
import { Failure } from "../../parts/Failure";
import { text as base } from "../../text/en";
import { workflowText } from "../../text/workflows";
import { freeName, TEMPLATES, type Template } from "./catalog";

const text = workflowText.template;

/** Workflows to begin with, and the way to begin with nothing. */
export function Templates({ onChoose }: { onChoose: (template: Template) => void }) {
  const navigate = useNavigate();
  const may = useMay()("importBundle");
  const card = (key: string, title: string, hint: string, onClick: () => void) => (
    <Card
      key={key}
      component="button"
      type="button"
      className="choice"
      withBorder
      p="sm"

      disabled={!may}
      onClick={onClick}
    >
      <Text fw={600}>{title}</Text>
      <Text size="sm" c="dimmed">
        {hint}
      </Text>
      {!may && (
        <Text size="xs" c="dimmed">
          {base.state.needs("Editor")}
        </Text>
      )}
    </Card>
  );
  return (
    <SimpleGrid cols={{ base: 1, sm: 2 }} w="100%" maw={720}>
      {TEMPLATES.map((each) => card(each.key, each.title, each.hint, () => onChoose(each)))}
      {card(
        "scratch",
        workflowText.scratch,
        workflowText.scratchHint,
        () => void navigate({ to: "/workflows/import", search: { scratch: true } }),
      )}
    </SimpleGrid>
  );
}

/** Asks the little that a template has to be told, makes it and starts it. */
export function TemplateDialog({
  template,
  taken,
  onClose,
}: {
  template: Template;
  taken: readonly string[];
  onClose: () => void;
}) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [name, setName] = useState(() => freeName(template.name, taken));
  const [typed, setTyped] = useState<string>();
  const value = typed ?? template.field?.initial(name) ?? "";
  const make = useMutation({
    mutationFn: async () => {
      await importBundle(JSON.stringify(template.bundle(name, value)), false);
      try {
        await startWorkflow(name);
        return { id: name, refused: undefined };
      } catch (error) {
        return { id: name, refused: asProblem(error) };
      }
    },
    onSuccess: async ({ id, refused }) => {
      await client.invalidateQueries({ queryKey: ["workflows"] });
      if (refused) return;
      notifications.show({ message: text.made(id) });
      await navigate({ to: "/workflows/$id", params: { id } });
    },
  });
  const made = make.data;
  return (
    <Modal
      opened
      onClose={onClose}
      title={template.title}
      closeButtonProps={{ "aria-label": base.action.close }}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          make.mutate();
        }}
      >
        <Stack gap="sm">
          <Text size="sm" c="dimmed">
            {template.hint}
          </Text>
          <TextInput
            label={text.name}
            description={text.nameHint}
            required
            autoComplete="off"
            value={name}
            onChange={(event) => setName(event.currentTarget.value.trim())}
          />
          {template.field && (
            <TextInput
              label={template.field.label}
              description={template.field.hint}
              required
              data-autofocus={value === "" || undefined}
              autoComplete="off"
              value={value}
              onChange={(event) => setTyped(event.currentTarget.value)}
            />
          )}
          {make.error && <Failure error={make.error} />}
          {made?.refused && (
            <>
              <Text size="sm">
                {text.notStarted(made.id)}{" "}
                <Anchor component={Link} to="/workflows/$id" params={{ id: made.id } as never}>
                  {text.open}
                </Anchor>
              </Text>
              <Failure error={made.refused} />
            </>
          )}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              {base.action.cancel}
            </Button>
            {!made && (
              <Button type="submit" loading={make.isPending}>
                {text.go}
              </Button>
            )}
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
