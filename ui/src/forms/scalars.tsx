import { Button, Group, Input, NativeSelect, PasswordInput, Text, Textarea, TextInput } from "@mantine/core";
import { LosslessNumber } from "lossless-json";
import { useState } from "react";
import { parseExact, printExact, scalar, type Json } from "../format/exact";
import { connectionText as text } from "../text/connections";
import { useInput, type FieldProps } from "./Field";
import { isKeptSecret, type Choice } from "./schema";

/** A text. What is empty is absent, so that the default holds. */
export function TextField(props: FieldProps) {
  const { props: input } = useInput(props);
  return (
    <TextInput
      {...input}
      autoComplete="off"
      value={scalar(props.value)}
      onChange={(event) => props.onChange(event.currentTarget.value || undefined)}
    />
  );
}

/** A number as it is typed: no digit is lost, and a reference such as `${env:PORT}` stays one. */
export function readNumber(typed: string): Json | undefined {
  const trimmed = typed.trim();
  if (trimmed === "") return undefined;
  return /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(trimmed) ? new LosslessNumber(trimmed) : typed;
}

export function NumberField({ whole, ...props }: FieldProps & { whole: boolean }) {
  const { props: input } = useInput(props);
  return (
    <TextInput
      {...input}
      inputMode={whole ? "numeric" : "decimal"}
      autoComplete="off"
      value={scalar(props.value)}
      onChange={(event) => props.onChange(readNumber(event.currentTarget.value))}
    />
  );
}

/** Yes, no, or what is the default: three answers, so that a default is not written down by looking at it. */
export function BooleanField(props: FieldProps) {
  const { props: input, schema } = useInput(props);
  const byDefault = typeof schema.default === "boolean" ? (schema.default ? "yes" : "no") : undefined;
  const unset = byDefault ? text.flag.default(text.flag[byDefault]) : text.flag.unset;
  return (
    <NativeSelect
      {...input}
      value={scalar(props.value)}
      onChange={(event) => {
        const chosen = event.currentTarget.value;
        props.onChange(chosen === "" ? undefined : chosen === "true");
      }}
      data={[
        { value: "", label: unset },
        { value: "true", label: text.flag.yes },
        { value: "false", label: text.flag.no },
      ]}
    />
  );
}

/** One of several values. A value that is none of them is shown too. */
export function ChoiceField({ choices, ...props }: FieldProps & { choices: readonly Choice[] }) {
  const { props: input, schema } = useInput(props);
  const value = scalar(props.value);
  const known = value === "" || choices.some((choice) => choice.value === value);
  const unset = schema.default == null ? text.flag.unset : text.flag.default(scalar(schema.default));
  const chosen = choices.find((choice) => choice.value === (value || scalar(schema.default)));
  return (
    <div>
      <NativeSelect
        {...input}
        value={value}
        onChange={(event) => props.onChange(event.currentTarget.value || undefined)}
        data={[
          { value: "", label: unset },
          ...choices.map((choice) => ({ value: choice.value, label: choice.value })),
          ...(known ? [] : [{ value, label: value }]),
        ]}
      />
      {chosen?.description && !chosen.description.includes(`\`${chosen.value}\`.`) && (
        <Text size="xs" c="dimmed" mt={4}>
          {chosen.value}: {chosen.description.replaceAll("`", "")}
        </Text>
      )}
    </div>
  );
}

/**
 * A secret: whether there is one, never which. What is kept is sent back as it was until something else has been typed,
 * so that an empty field never wipes it out. A reference is no secret and is shown whole.
 */
export function SecretField(props: FieldProps) {
  const { props: input, readOnly } = useInput(props);
  const { value, onChange, label } = props;
  const [kept] = useState<Json | undefined>(() =>
    // Only one that is kept can be marked as to be removed.
    value === null ? { $secret: "set" } : isKeptSecret(value) ? value : undefined,
  );
  const [replacing, setReplacing] = useState(false);
  const keep = () => {
    setReplacing(false);
    onChange(kept);
  };
  const removed = kept !== undefined && value === null;
  if ((isKeptSecret(value) && !replacing) || removed) {
    return (
      <Input.Wrapper
        id={input.id}
        label={input.label}
        description={input.description}
        error={input.error}
        labelElement="div"
      >
        <Group gap="xs" mt={4}>
          <Text size="sm">{removed ? text.secret.removed : text.secret.set}</Text>
          {!readOnly && !removed && (
            <Small label={label} onClick={() => setReplacing(true)}>
              {text.secret.replace}
            </Small>
          )}
          {!readOnly && (
            <Small label={label} onClick={removed ? keep : () => onChange(null)}>
              {removed ? text.secret.keep : text.secret.remove}
            </Small>
          )}
        </Group>
      </Input.Wrapper>
    );
  }
  const shown = isKeptSecret(value) ? "" : scalar(value);
  return (
    <div>
      <PasswordInput
        {...input}
        {...(/^\$\{(env|file):/.test(shown) ? { visible: true } : {})}
        placeholder={text.optional}
        autoComplete="new-password"
        visibilityToggleButtonProps={{ "aria-label": `${text.secret.show}: ${label}`, tabIndex: 0 }}
        value={shown}
        onChange={(event) => onChange(event.currentTarget.value || kept)}
      />
      <Group gap="xs" mt={4}>
        <Text size="xs" c="dimmed">
          {text.secret.hint}
        </Text>
        {kept !== undefined && (
          <Small label={label} onClick={keep}>
            {text.secret.keep}
          </Small>
        )}
      </Group>
    </div>
  );
}

/** A small button that says, for those who hear it alone, which field it is of. */
function Small({ label, onClick, children }: { label: string; onClick: () => void; children: string }) {
  return (
    <Button size="compact-xs" variant="default" onClick={onClick} aria-label={`${children}: ${label}`}>
      {children}
    </Button>
  );
}

/** Whatever has no field of its own, as JSON. What cannot be read yet stays in the field, and is not taken over. */
export function JsonField(props: FieldProps) {
  const { props: input } = useInput(props);
  const [typed, setTyped] = useState(() => (props.value === undefined ? "" : printExact(props.value)));
  const [error, setError] = useState<string>();
  return (
    <Textarea
      {...input}
      autosize
      minRows={2}
      maxRows={16}
      styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)" } }}
      error={error ?? input.error}
      value={typed}
      onChange={(event) => {
        const next = event.currentTarget.value;
        setTyped(next);
        try {
          props.onChange(next.trim() === "" ? undefined : parseExact(next));
          setError(undefined);
        } catch (thrown) {
          setError(thrown instanceof Error ? thrown.message : String(thrown));
        }
      }}
    />
  );
}
