import { Button, Group, Pagination, Stack, Text, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { IconPlus, IconSearch } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { PAGE_SIZE, peopleQuery } from "../../api/people";
import { useMay } from "../../app/session";
import { count } from "../../format/numbers";
import { Empty } from "../../parts/Empty";
import { Loaded } from "../../parts/Loaded";
import { Needs } from "../../parts/Needs";
import { Page } from "../../parts/Page";
import { text } from "../../text/en";
import { peopleText } from "../../text/people";
import { AddDialog } from "./AddDialog";
import { ChangeDialog } from "./ChangeDialog";
import { PasswordDialog } from "./PasswordDialog";
import { PeopleTable } from "./PeopleTable";
import { RemoveDialog } from "./RemoveDialog";
import { Roles } from "./Roles";
import type { PeopleSearch } from "./search";

const route = getRouteApi("/inside/people");

/** Who may do what here. */
export function PeoplePage() {
  const navigate = route.useNavigate();
  const may = useMay();
  const add = (
    <Button
      leftSection={<IconPlus size={16} aria-hidden />}
      onClick={() => void navigate({ search: (before) => ({ ...before, open: "add" }) })}
    >
      {peopleText.add}
    </Button>
  );
  return (
    <Page title={peopleText.title} actions={may("createUser") && add}>
      <Needs operation="listUsers" role="Administrator">
        <People />
      </Needs>
      <Roles />
    </Page>
  );
}

function People() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const go = (change: Partial<PeopleSearch>) =>
    void navigate({
      search: ({ page, search }) => ({ page, search, ...change }),
      replace: true,
    });
  const close = () => go({});
  const page = search.page ?? 1;
  const query = useQuery(peopleQuery({ page, search: search.search }));
  return (
    <>
      <Filter
        given={search.search ?? ""}
        onChange={(value) => void navigate({ search: value === "" ? {} : { search: value }, replace: true })}
      />
      <Loaded query={query}>
        {({ data, total }) =>
          data.length === 0 ? (
            <Nobody filtered={search.search !== undefined} />
          ) : (
            <Stack gap="xs">
              <PeopleTable people={data} onOpen={(open, who) => go({ open, who })} />
              <Group justify="space-between">
                <Text size="sm" c="dimmed" role="status">
                  {peopleText.total(count(data.length), count(total))}
                </Text>
                {total > PAGE_SIZE && (
                  <Pagination
                    total={Math.ceil(total / PAGE_SIZE)}
                    value={page}
                    onChange={(next) => go({ page: next })}
                    getControlProps={(control) => ({ "aria-label": control })}
                  />
                )}
              </Group>
            </Stack>
          )
        }
      </Loaded>
      {search.open === "add" && <AddDialog onClose={close} />}
      {search.open === "change" && search.who && <ChangeDialog who={search.who} onClose={close} />}
      {search.open === "password" && search.who && <PasswordDialog who={search.who} onClose={close} />}
      {search.open === "remove" && search.who && <RemoveDialog who={search.who} onClose={close} />}
    </>
  );
}

function Filter({ given, onChange }: { given: string; onChange: (value: string) => void }) {
  const [typed, setTyped] = useState(given);
  const later = useDebouncedCallback(onChange, 250);
  return (
    <TextInput
      aria-label={peopleText.search}
      placeholder={peopleText.search}
      leftSection={<IconSearch size={16} aria-hidden />}
      maw={360}
      value={typed}
      onChange={(event) => {
        setTyped(event.currentTarget.value);
        later(event.currentTarget.value.trim());
      }}
    />
  );
}

function Nobody({ filtered }: { filtered: boolean }) {
  const navigate = route.useNavigate();
  const { data: all } = useQuery({ ...peopleQuery({ page: 1 }), enabled: filtered });
  if (!filtered) return <Empty title={text.state.none(peopleText.person)}>{peopleText.emptyHint}</Empty>;
  return (
    <Empty
      title={text.state.noneMatches(count(all?.total))}
      action={
        <Button variant="default" onClick={() => void navigate({ search: {} })}>
          {text.state.clear}
        </Button>
      }
    />
  );
}
