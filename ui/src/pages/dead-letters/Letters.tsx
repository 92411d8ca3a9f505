import { Alert, Stack } from "@mantine/core";
import { IconPlugConnectedX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { lettersQuery, type LetterFilter } from "../../api/deadLetters";
import { Empty } from "../../parts/Empty";
import { Failure } from "../../parts/Failure";
import { Loaded } from "../../parts/Loaded";
import { deadLetters as words } from "../../text/deadLetters";
import type { Go } from "./DeadLettersPage";
import { FilterBar } from "./FilterBar";
import { Groups } from "./Groups";
import { List } from "./List";
import { silent } from "./letters";
import { Result, type Done } from "./Result";
import { filterOf, type LetterSearch } from "./search";

/** So many of each node are read to find the groups. */
const GROUPED_MAX = 1000;

/** So many of each node are on a page of the list. */
export const PAGE = 50;

const isNarrow = ({ node, sink, kind, closed }: LetterFilter) =>
  node !== undefined || sink !== undefined || kind !== undefined || closed === true;

/** Dead letters of one workflow: causes first, then one by one. */
export function Letters({ workflow, search, go }: { workflow: string; search: LetterSearch; go: Go }) {
  const [done, setDone] = useState<Done>();
  const filter = filterOf(search);
  const all = useQuery(lettersQuery(workflow, {}, { limit: GROUPED_MAX }));
  const from = search.from === undefined ? {} : { from: search.from };
  const list = useQuery(lettersQuery(workflow, filter, { limit: PAGE, ...from }));
  // With closed ones in the list its total says nothing about those that can still be changed.
  const open = useQuery({
    ...lettersQuery(workflow, { ...filter, closed: false }, { limit: 1 }),
    enabled: filter.closed === true,
  });
  const openTotal = filter.closed === true ? open.data?.total : list.data?.total;
  const away = all.data ? silent(all.data) : [];
  const nothing = all.data?.total === 0 && !isNarrow(filter);
  return (
    <Stack gap="md">
      {away.length > 0 && (
        <Alert color="yellow" icon={<IconPlugConnectedX />} p="xs" data-testid="silent">
          {words.silent(away.join(", "))}
        </Alert>
      )}
      {all.error && <Failure error={all.error} retry={() => void all.refetch()} />}
      {all.data && all.data.total > 0 && <Groups page={all.data} search={search} />}
      <FilterBar page={all.data} filter={filter} total={list.data?.total} go={go} />
      {done && <Result done={done} onClose={() => setDone(undefined)} />}
      {nothing ? (
        <Empty title={away.length > 0 ? words.noneKnown : words.none}>
          {away.length > 0 ? undefined : words.noneHint}
        </Empty>
      ) : (
        <Loaded query={list}>
          {(page) => (
            <List
              workflow={workflow}
              page={page}
              filter={filter}
              from={search.from}
              openTotal={openTotal}
              total={all.data?.total}
              onDone={setDone}
              go={go}
            />
          )}
        </Loaded>
      )}
    </Stack>
  );
}
