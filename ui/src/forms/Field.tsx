import { Box, Code, Fieldset, Stack, Text } from "@mantine/core";
import { createContext, useContext } from "react";
import type { ProblemAt } from "../api/problem";
import { scalar, type Json } from "../format/exact";
import { connectionText as text } from "../text/connections";
import { ListField, MapField, ObjectField, VariantsField } from "./containers";
import { BooleanField, ChoiceField, JsonField, NumberField, SecretField, TextField } from "./scalars";
import { kindOf, plain, type Schema } from "./schema";

/** What all fields of a form share. */
export interface Form {
  /** The schema that references are followed in. */
  readonly root: Schema;
  readonly problems: readonly ProblemAt[];
  readonly readOnly: boolean;
}

export const FormContext = createContext<Form>({ root: {}, problems: [], readOnly: false });

export interface FieldProps {
  readonly schema: Schema;
  readonly label: string;
  /** Where the value stands in the document: also the id of its field. */
  readonly pointer: string;
  readonly value: Json | undefined;
  readonly onChange: (next: Json | undefined) => void;
  readonly required?: boolean | undefined;
}

/** What every input has: its name, what it is for, and what the node says is wrong with it. */
export function useInput({ schema: given, label, pointer, required }: FieldProps) {
  const { root, problems, readOnly } = useContext(FormContext);
  const schema = plain(root, given);
  const unit = schema["x-unit"];
  const own = problems.filter((problem) => problem.pointer === pointer && !problem.warning);
  return {
    schema,
    readOnly,
    props: {
      id: pointer,
      label: unit ? `${label} (${unit})` : label,
      description: schema.description ? <Described>{schema.description}</Described> : undefined,
      placeholder: placeholder(schema),
      required: required ?? false,
      error: own.length > 0 ? own.map((problem) => problem.message).join("; ") : undefined,
      disabled: readOnly,
    },
  };
}

/** The default, or an example: both only as a hint, neither is written into the document. */
function placeholder(schema: Schema): string {
  if (schema.default != null) return scalar(schema.default);
  const [example] = schema.examples ?? [];
  return example === undefined ? text.optional : text.example(scalar(example));
}

/** A description; what stands in backticks is code. */
export function Described({ children }: { children: string }) {
  const parts = children.replaceAll(/\s+/g, " ").split("`");
  return (
    <>
      {parts.map((part, at) => (at % 2 === 1 ? <Code key={at}>{part}</Code> : <span key={at}>{part}</span>))}
    </>
  );
}

/** One value of a document, by its schema. */
export function Field(props: FieldProps) {
  const { root } = useContext(FormContext);
  const kind = kindOf(root, props.schema);
  switch (kind.kind) {
    case "secret":
      return <SecretField {...props} />;
    case "text":
      return <TextField {...props} />;
    case "integer":
    case "number":
      return <NumberField {...props} whole={kind.kind === "integer"} />;
    case "boolean":
      return <BooleanField {...props} />;
    case "choice":
      return <ChoiceField {...props} choices={kind.choices} />;
    case "list":
      return <ListField {...props} items={kind.items} />;
    case "map":
      return <MapField {...props} values={kind.values} />;
    case "object":
      return (
        <Grouped {...props}>
          <ObjectField {...props} />
        </Grouped>
      );
    case "variants":
      return <VariantsField {...props} by={kind.by} variants={kind.variants} />;
    case "json":
      return <JsonField {...props} />;
  }
}

/** Several fields under one name. */
export function Grouped({ children, ...props }: FieldProps & { children: React.ReactNode }) {
  const { props: input } = useInput(props);
  return (
    <Fieldset legend={props.label} id={props.pointer} tabIndex={-1} p="sm">
      <Stack gap="sm">
        {input.description && (
          <Text size="xs" c="dimmed">
            {input.description}
          </Text>
        )}
        {input.error && (
          <Text size="xs" c="red" role="alert">
            {input.error}
          </Text>
        )}
        <Box>{children}</Box>
      </Stack>
    </Fieldset>
  );
}
