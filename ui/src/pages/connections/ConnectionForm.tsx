import { Alert, Box, Button, Collapse, Stack, Text, TextInput, Title } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { Connector, Side } from "../../api/connections";
import type { ProblemAt } from "../../api/problem";
import { ObjectField } from "../../forms/containers";
import { FormContext } from "../../forms/Field";
import { JsonField } from "../../forms/scalars";
import { withMember, type Schema } from "../../forms/schema";
import { member, scalar, type JsonObject } from "../../format/exact";
import { connectionText as text } from "../../text/connections";
import { DELIVERY } from "./delivery";

/** The fields of a source or sink: its names, then what its connector's schema says. */
export function ConnectionForm({
  side,
  connector,
  value,
  onChange,
  problems,
  readOnly,
  fresh,
}: {
  side: Side;
  connector: Connector | undefined;
  value: JsonObject;
  onChange: (next: JsonObject) => void;
  problems: readonly ProblemAt[];
  readOnly: boolean;
  fresh: boolean;
}) {
  const schema = connector?.schema as Schema | undefined;
  const form = { root: schema ?? {}, problems, readOnly };
  const wrong = (pointer: string) =>
    problems.find((problem) => problem.pointer === pointer && !problem.warning)?.message;
  const config = {
    label: text.config,
    pointer: "/config",
    value: member(value, "config"),
    onChange: (next: ReturnType<typeof member>) => onChange(withMember(value, "config", next ?? {})),
  };
  return (
    <FormContext value={form}>
      <Stack gap="sm">
        {fresh && (
          <TextInput
            id="/id"
            label={text.id}
            description={text.idHint}
            placeholder={text.idMade}
            autoComplete="off"
            error={wrong("/id")}
            value={scalar(member(value, "id"))}
            onChange={(event) => onChange(withMember(value, "id", event.currentTarget.value || undefined))}
          />
        )}
        <TextInput
          id="/name"
          label={text.name}
          description={text.nameHint}
          placeholder={text.optional}
          autoComplete="off"
          disabled={readOnly}
          error={wrong("/name")}
          value={scalar(member(value, "name"))}
          onChange={(event) => onChange(withMember(value, "name", event.currentTarget.value || undefined))}
        />
        <Title order={2}>{text.config}</Title>
        {schema ? (
          <ObjectField {...config} schema={schema} />
        ) : (
          <>
            <Alert color="yellow">{text.unknownKind(scalar(member(value, "type")))}</Alert>
            <JsonField {...config} schema={{}} />
          </>
        )}
        {side === "sinks" && <Delivery value={value} onChange={onChange} problems={problems} />}
      </Stack>
    </FormContext>
  );
}

/** How a sink gets its messages; open where something of it is set or wrong. */
function Delivery({
  value,
  onChange,
  problems,
}: {
  value: JsonObject;
  onChange: (next: JsonObject) => void;
  problems: readonly ProblemAt[];
}) {
  const names = Object.keys(DELIVERY.properties ?? {});
  const touched = names.some(
    (name) =>
      member(value, name) !== undefined || problems.some((problem) => problem.pointer.startsWith(`/${name}`)),
  );
  const [open, toggle] = useDisclosure(touched);
  const shown = Object.fromEntries(Object.entries(value).filter(([name]) => names.includes(name)));
  const take = (next: ReturnType<typeof member>) => {
    const others = Object.entries(value).filter(([name]) => !names.includes(name));
    onChange({ ...Object.fromEntries(others), ...(next as JsonObject | undefined) });
  };
  return (
    <Box>
      <Button
        variant="subtle"
        size="compact-sm"
        aria-expanded={open || touched}
        onClick={toggle.toggle}
        mb="xs"
      >
        {text.delivery}
      </Button>
      <Collapse expanded={open || touched}>
        <Stack gap="sm">
          <Text size="sm" c="dimmed">
            {text.deliveryHint}
          </Text>
          <ObjectField schema={DELIVERY} label={text.delivery} pointer="" value={shown} onChange={take} />
        </Stack>
      </Collapse>
    </Box>
  );
}
