import { Alert, Button, Group, Select, TextInput } from "@mantine/core";
import { IconPlugConnectedX } from "@tabler/icons-react";
import { useDebouncedCallback } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { LEVELS } from "../../api/logs";
import { workflowsQuery } from "../../api/queries";
import { without } from "../../app/address";
import { useNow } from "../../app/clock";
import { grouped } from "../../format/numbers";
import { span } from "../../format/time";
import { Empty } from "../../parts/Empty";
import { Failure } from "../../parts/Failure";
import { Loading } from "../../parts/Loaded";
import { Page } from "../../parts/Page";
import { logs as words } from "../../text/logs";
import { text } from "../../text/en";
import { Lines } from "./Lines";
import type { LogSearch } from "./search";
import { holding } from "./tail";
import { useTail } from "./useTail";

type Go = (change: (before: LogSearch) => LogSearch) => void;

/** What this node writes, as it writes it. */
export function LogsPage() {
  const search = useSearch({ from: "/inside/logs" });
  const navigate = useNavigate();
  const go: Go = (change) => void navigate({ to: "/logs", search: change, replace: true });
  return (
    <Page title={words.title}>
      <Filter search={search} go={go} />
      <Tailed key={`${search.level ?? ""} ${search.workflow ?? ""}`} search={search} go={go} />
    </Page>
  );
}

function Filter({ search, go }: { search: LogSearch; go: Go }) {
  const [wanted, setWanted] = useState("");
  const { data: list } = useQuery(workflowsQuery({ limit: 200 }));
  const ids = new Set(list?.data.map((workflow) => workflow.id));
  if (search.workflow !== undefined) ids.add(search.workflow);
  if (wanted !== "") ids.add(wanted);
  const [typed, setTyped] = useState(search.text ?? "");
  const find = useDebouncedCallback((value: string) => {
    go((before) => {
      const rest = without(before, "text");
      return value === "" ? rest : { ...rest, text: value };
    });
  }, 200);
  const isNarrow = Object.keys(search).length > 0;
  return (
    <Group gap="sm" align="flex-end" role="search" aria-label={words.filter}>
      <Select
        label={words.level}
        w={{ base: "100%", xs: 150 }}
        data={LEVELS.map((level) => ({ value: level, label: words.atLeast[level] }))}
        value={search.level ?? "debug"}
        allowDeselect={false}
        onChange={(value) => {
          const level = LEVELS.find((each) => each === value);
          go((before) => {
            const rest = without(before, "level");
            return level === undefined || level === "debug" ? rest : { ...rest, level };
          });
        }}
      />
      <Select
        label={words.workflow}
        placeholder={words.any}
        w={{ base: "100%", xs: 220 }}
        data={[...ids].sort()}
        value={search.workflow ?? null}
        searchable
        clearable
        onSearchChange={setWanted}
        onChange={(workflow) =>
          go((before) => {
            const rest = without(before, "workflow");
            return workflow === null ? rest : { ...rest, workflow };
          })
        }
      />
      <TextInput
        label={words.text}
        w={{ base: "100%", xs: 240 }}
        value={typed}
        onChange={(event) => {
          setTyped(event.currentTarget.value);
          find(event.currentTarget.value.trim());
        }}
      />
      {isNarrow && (
        <Button
          variant="subtle"
          onClick={() => {
            setTyped("");
            go(() => ({}));
          }}
        >
          {text.state.clear}
        </Button>
      )}
    </Group>
  );
}

function Tailed({ search, go }: { search: LogSearch; go: Go }) {
  const { tail, isLoaded, error, lostAtMs, pause, resume, reload } = useTail(search);
  const shown = holding(tail.lines, search.text ?? "");
  const fresh = holding(tail.waiting, search.text ?? "").length;
  return (
    <>
      {error != null && <Failure error={error} retry={reload} />}
      {lostAtMs !== undefined && <Lost sinceMs={lostAtMs} />}
      {tail.restarted && (
        <Alert color="blue" p="xs">
          {words.restarted}
        </Alert>
      )}
      <Group gap="xs" mih={36}>
        <Button variant={tail.follows ? "light" : "filled"} size="xs" onClick={tail.follows ? pause : resume}>
          {tail.follows ? words.pause : fresh > 0 ? words.fresh(grouped(fresh)) : words.follow}
        </Button>
        <span role="status">{tail.follows ? words.following : words.still}</span>
        {tail.missed > 0 && (
          <Group gap="xs" role="status" data-testid="missed">
            {words.missed(grouped(tail.missed))}
            <Button variant="subtle" size="xs" onClick={reload}>
              {words.reload}
            </Button>
          </Group>
        )}
        <span style={{ marginInlineStart: "auto" }}>
          {words.count(grouped(shown.length), grouped(tail.lines.length), search.text !== undefined)}
        </span>
      </Group>
      {!isLoaded && tail.lines.length === 0 ? (
        error == null && <Loading />
      ) : shown.length === 0 ? (
        <None search={search} held={tail.lines.length} go={go} />
      ) : (
        <Lines lines={shown} follows={tail.follows} pause={pause} resume={resume} />
      )}
    </>
  );
}

function Lost({ sinceMs }: { sinceMs: number }) {
  const now = useNow();
  return (
    <Alert color="yellow" icon={<IconPlugConnectedX />} p="xs" role="status">
      {words.lost(span(now - sinceMs))}
    </Alert>
  );
}

function None({ search, held, go }: { search: LogSearch; held: number; go: Go }) {
  if (search.text !== undefined && held > 0)
    return (
      <Empty
        title={text.state.noneMatches(words.lines(grouped(held)))}
        action={
          <Button variant="light" onClick={() => go((before) => without(before, "text"))}>
            {text.state.clear}
          </Button>
        }
      >
        {words.noneHint}
      </Empty>
    );
  const isNarrow = search.level !== undefined || search.workflow !== undefined;
  return <Empty title={isNarrow ? words.noneFits : words.none}>{words.noneYet}</Empty>;
}
