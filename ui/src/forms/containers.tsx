import {
  ActionIcon,
  Box,
  Button,
  Collapse,
  Fieldset,
  Group,
  NativeSelect,
  Stack,
  Text,
  TextInput,
} from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconPlus, IconTrash } from "@tabler/icons-react";
import { useContext, useState } from "react";
import { isObject, member, scalar, type Json } from "../format/exact";
import { below } from "../format/place";
import { connectionText as text } from "../text/connections";
import { Field, FormContext, Grouped, type FieldProps } from "./Field";
import { kindOf, plain, unknownKeys, withMember, type Schema, type Variant } from "./schema";

/** The members of an object: first those that are needed or usual, then the others behind a button. */
export function ObjectField({ schema: given, pointer, value, onChange }: FieldProps) {
  const { root, problems } = useContext(FormContext);
  const schema = plain(root, given);
  const members = Object.entries(schema.properties ?? {}).filter(([, each]) => !each["x-hidden"]);
  const advanced = members.filter(([, each]) => each["x-advanced"]);
  const usual = members.filter(([, each]) => !each["x-advanced"]);
  const touched = advanced.some(
    ([name]) =>
      member(value, name) !== undefined ||
      problems.some((problem) => problem.pointer.startsWith(below(pointer, name))),
  );
  const [open, more] = useDisclosure(false);
  const unknown = unknownKeys(root, given, value);
  const field = ([name, each]: [string, Schema]) => (
    <Field
      key={name}
      schema={each}
      label={name}
      pointer={below(pointer, name)}
      value={member(value, name)}
      onChange={(next) => onChange(withMember(value, name, next))}
      required={schema.required?.includes(name)}
    />
  );
  return (
    <Stack gap="sm">
      {usual.map(field)}
      {advanced.length > 0 && (
        <Box>
          {!touched && (
            <Button size="compact-sm" variant="subtle" aria-expanded={open} onClick={more.toggle} mb="xs">
              {text.advanced} ({advanced.length})
            </Button>
          )}
          <Collapse expanded={open || touched}>
            <Stack gap="sm">{advanced.map(field)}</Stack>
          </Collapse>
        </Box>
      )}
      {unknown.length > 0 && (
        <Text size="xs" c="dimmed">
          {text.unknownKeys(unknown.join(", "))}
        </Text>
      )}
    </Stack>
  );
}

/** Values in an order. */
export function ListField({ items, ...props }: FieldProps & { items: Schema }) {
  const { root, readOnly } = useContext(FormContext);
  const { value, onChange, pointer } = props;
  const list = Array.isArray(value) ? value : [];
  const set = (next: Json[]) => onChange(next.length === 0 ? undefined : next);
  const fresh = kindOf(root, items).kind === "object" ? {} : "";
  return (
    <Grouped {...props}>
      <Stack gap="xs">
        {list.map((item, at) => (
          <Group key={at} gap="xs" align="flex-end" wrap="nowrap">
            <Box style={{ flex: 1, minWidth: 0 }}>
              <Field
                schema={items}
                label={text.list.item(at + 1)}
                pointer={below(pointer, at)}
                value={item}
                onChange={(next) => set(list.with(at, next ?? fresh))}
              />
            </Box>
            {!readOnly && (
              <ActionIcon
                variant="subtle"
                color="red"
                size="lg"
                aria-label={text.list.remove(`${props.label} ${at + 1}`)}
                onClick={() => set(list.toSpliced(at, 1))}
              >
                <IconTrash size={16} />
              </ActionIcon>
            )}
          </Group>
        ))}
        {!readOnly && <Add label={props.label} onClick={() => set([...list, fresh])} />}
      </Stack>
    </Grouped>
  );
}

function Add({ label, onClick }: { label: string; onClick: () => void }) {
  return (
    <Group>
      <Button
        size="compact-sm"
        variant="default"
        leftSection={<IconPlus size={14} />}
        aria-label={`${text.list.add}: ${label}`}
        onClick={onClick}
      >
        {text.list.add}
      </Button>
    </Group>
  );
}

/** Values by names that people choose. Two rows may have one name while it is typed; the last one is what is sent. */
export function MapField({ values, ...props }: FieldProps & { values: Schema }) {
  const { readOnly } = useContext(FormContext);
  const { value, onChange, pointer } = props;
  const [rows, setRows] = useState<[string, Json | undefined][]>(() =>
    isObject(value) ? Object.entries(value) : [],
  );
  const set = (next: [string, Json | undefined][]) => {
    setRows(next);
    const named = next.filter(([name]) => name !== "").map(([name, each]) => [name, each ?? ""] as const);
    onChange(named.length === 0 ? undefined : Object.fromEntries(named));
  };
  if (typeof value === "string") {
    return <TextRow {...props} />;
  }
  return (
    <Grouped {...props}>
      <Stack gap="xs">
        {rows.map(([name, each], at) => (
          <Group key={at} gap="xs" align="flex-start">
            <TextInput
              label={text.map.name}
              autoComplete="off"
              disabled={readOnly}
              value={name}
              onChange={(event) => set(rows.with(at, [event.currentTarget.value, each]))}
              style={{ flex: "1 1 140px" }}
            />
            <Box style={{ flex: "2 1 200px", minWidth: 0 }}>
              <Field
                schema={values}
                label={text.map.value}
                pointer={below(pointer, name)}
                value={each}
                onChange={(next) => set(rows.with(at, [name, next]))}
              />
            </Box>
            {!readOnly && (
              <ActionIcon
                variant="subtle"
                color="red"
                size="lg"
                mt={24}
                aria-label={text.list.remove(`${props.label} ${name || at + 1}`)}
                onClick={() => set(rows.toSpliced(at, 1))}
              >
                <IconTrash size={16} />
              </ActionIcon>
            )}
          </Group>
        ))}
        {!readOnly && <Add label={props.label} onClick={() => setRows([...rows, ["", undefined]])} />}
      </Stack>
    </Grouped>
  );
}

/** A map that was written as one text stays one. */
function TextRow(props: FieldProps) {
  return <Field {...props} schema={{ ...props.schema, type: "string", additionalProperties: false }} />;
}

/** An object of one of several shapes: first which one, then its members. */
export function VariantsField({
  by,
  variants,
  ...props
}: FieldProps & { by: string; variants: readonly Variant[] }) {
  const { readOnly } = useContext(FormContext);
  const { value, onChange, pointer } = props;
  const chosen = variants.find((variant) => variant.value === scalar(member(value, by)));
  return (
    <Fieldset legend={props.label} p="sm">
      <Stack gap="sm">
        <NativeSelect
          id={below(pointer, by)}
          label={by}
          disabled={readOnly}
          value={chosen?.value ?? ""}
          onChange={(event) =>
            onChange(event.currentTarget.value === "" ? undefined : { [by]: event.currentTarget.value })
          }
          data={[
            { value: "", label: text.flag.unset },
            ...variants.map((variant) => ({ value: variant.value, label: variant.value })),
          ]}
        />
        {chosen && (
          <ObjectField {...props} key={chosen.value} schema={withConstant(chosen.schema, by, chosen.value)} />
        )}
      </Stack>
    </Fieldset>
  );
}

/** The member that tells shapes apart is known, but has its own field above. */
function withConstant(schema: Schema, by: string, value: string): Schema {
  const hidden: Schema = { const: value, "x-hidden": true };
  return { ...schema, properties: { ...schema.properties, [by]: hidden } };
}
