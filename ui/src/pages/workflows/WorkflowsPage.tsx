import { Button, Group, Menu } from "@mantine/core";
import { IconChevronDown } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { workflowsQuery } from "../../api/queries";
import { workflowPageQuery } from "../../api/workflows";
import { ActionButton, ActionItem } from "../../parts/Action";
import { pageOf, type ListSearch } from "../../forms/list-search";
import { Pages, SearchBox } from "../../forms/Listing";
import { grouped } from "../../format/numbers";
import { omit } from "../../format/omit";
import { Empty } from "../../parts/Empty";
import { Loaded } from "../../parts/Loaded";
import { Page } from "../../parts/Page";
import { text as base } from "../../text/en";
import { workflowText as text } from "../../text/workflows";
import { TemplateDialog, Templates } from "./Templates";
import { TEMPLATES, type Template } from "./catalog";
import { WorkflowRows } from "./WorkflowRows";

/** All workflows. */
export function WorkflowsPage() {
  const search = useSearch({ from: "/inside/workflows" });
  const navigate = useNavigate();
  const query = useQuery(workflowPageQuery(pageOf(search)));
  const all = useQuery({ ...workflowsQuery({ page: 1, limit: 1 }), enabled: search.search !== undefined });
  const [template, setTemplate] = useState<Template>();
  const go = (next: ListSearch) => void navigate({ to: "/workflows", search: next, replace: true });
  const asked = search.search !== undefined || search.page !== undefined;
  return (
    <Page
      title={base.nav.workflows}
      actions={
        <>
          <ActionButton
            operation="importBundle"
            variant="default"
            onClick={() => void navigate({ to: "/workflows/import" })}
          >
            {text.import}
          </ActionButton>
          <Create onChoose={setTemplate} />
        </>
      }
    >
      <Group>
        <SearchBox
          label={text.search}
          value={search.search}
          onChange={(next) => go(next === undefined ? {} : { search: next })}
        />
      </Group>
      <Loaded query={query}>
        {(list) => {
          if (list.data.length > 0) {
            return (
              <>
                <WorkflowRows workflows={list.data} />
                <Pages
                  total={list.total}
                  page={search.page}
                  onChange={(page) => {
                    const rest = omit(search, "page");
                    go(page === undefined ? rest : { ...rest, page });
                  }}
                />
              </>
            );
          }
          return asked ? (
            <Empty
              title={base.state.noneMatches(grouped(all.data?.total))}
              action={
                <Button component={Link} to="/workflows" variant="default">
                  {base.state.clear}
                </Button>
              }
            />
          ) : (
            <Empty title={base.state.none("workflow")} action={<Templates onChoose={setTemplate} />}>
              {text.none}
            </Empty>
          );
        }}
      </Loaded>
      {template && (
        <TemplateDialog
          template={template}
          taken={query.data?.data.map((each) => each.id) ?? []}
          onClose={() => setTemplate(undefined)}
        />
      )}
    </Page>
  );
}

function Create({ onChoose }: { onChoose: (template: Template) => void }) {
  const navigate = useNavigate();
  return (
    <Menu position="bottom-end" width={280}>
      <Menu.Target>
        <Button rightSection={<IconChevronDown size={16} aria-hidden />}>{text.create}</Button>
      </Menu.Target>
      <Menu.Dropdown>
        {TEMPLATES.map((each) => (
          <ActionItem key={each.key} operation="importBundle" onClick={() => onChoose(each)}>
            {each.title}
          </ActionItem>
        ))}
        <Menu.Divider />
        <ActionItem
          operation="importBundle"
          onClick={() => void navigate({ to: "/workflows/import", search: { scratch: true } })}
        >
          {text.scratch}
        </ActionItem>
      </Menu.Dropdown>
    </Menu>
  );
}
