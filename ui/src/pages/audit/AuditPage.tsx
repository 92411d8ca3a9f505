import { Alert, Button, Group, Stack, Text } from "@mantine/core";
import { IconLock } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { stringify } from "lossless-json";
import { auditQuery } from "../../api/audit";
import { useMay } from "../../app/session";
import { grouped } from "../../format/numbers";
import { Empty } from "../../parts/Empty";
import { Failure } from "../../parts/Failure";
import { Loading } from "../../parts/Loaded";
import { Page } from "../../parts/Page";
import { saveFile } from "../../parts/saveFile";
import { audit as words } from "../../text/audit";
import { text } from "../../text/en";
import { Entries } from "./Entries";
import { Filter } from "./Filter";
import { filterOf, type AuditSearch } from "./search";

/** Who has done what, newest first. */
export function AuditPage() {
  const may = useMay();
  if (may("listAudit")) return <Journal />;
  return (
    <Page title={words.title}>
      <Alert color="gray" icon={<IconLock />} title={text.state.denied}>
        {text.state.deniedHint("Administrator")}
      </Alert>
    </Page>
  );
}

function Journal() {
  const search = useSearch({ from: "/inside/audit" });
  const navigate = useNavigate();
  const go = (search: AuditSearch) => void navigate({ to: "/audit", search });
  const query = useInfiniteQuery(auditQuery(filterOf(search)));
  const entries = query.data?.pages.flatMap((page) => page.data) ?? [];
  const save = () => saveFile("audit.json", `${stringify(entries, undefined, 2) ?? ""}\n`);
  return (
    <Page
      title={words.title}
      actions={
        <>
          <Button variant="default" loading={query.isRefetching} onClick={() => void query.refetch()}>
            {words.refresh}
          </Button>
          {entries.length > 0 && (
            <Button variant="default" onClick={save}>
              {words.export}
            </Button>
          )}
        </>
      }
    >
      <Filter key={JSON.stringify(search)} search={search} go={go} />
      {query.error && <Failure error={query.error} retry={() => void query.refetch()} />}
      {query.isPending ? (
        <Loading />
      ) : entries.length > 0 ? (
        <Stack gap="xs">
          <Entries entries={entries} />
          <Group gap="sm">
            {query.hasNextPage ? (
              <Button
                variant="default"
                loading={query.isFetchingNextPage}
                onClick={() => void query.fetchNextPage()}
              >
                {words.older}
              </Button>
            ) : (
              <Text size="sm">{words.all}</Text>
            )}
            <Text size="sm" c="dimmed" role="status">
              {words.shown(grouped(entries.length))}
            </Text>
          </Group>
        </Stack>
      ) : (
        query.data && <None isNarrow={Object.keys(search).length > 0} go={go} />
      )}
    </Page>
  );
}

function None({ isNarrow, go }: { isNarrow: boolean; go: (search: AuditSearch) => void }) {
  if (!isNarrow) return <Empty title={words.none}>{words.noneHint}</Empty>;
  return (
    <Empty
      title={words.noMatch}
      action={
        <Button variant="light" onClick={() => go({})}>
          {text.state.clear}
        </Button>
      }
    />
  );
}
