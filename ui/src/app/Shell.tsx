import {
  Alert,
  Anchor,
  AppShell,
  Burger,
  Group,
  Menu,
  NavLink,
  ScrollArea,
  SegmentedControl,
  Text,
  UnstyledButton,
  VisuallyHidden,
  useMantineColorScheme,
} from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconLogout, IconPlugConnectedX, IconUser } from "@tabler/icons-react";
import { Link, Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import { useEffect } from "react";
import { span } from "../format/time";
import { text } from "../text/en";
import { Brand } from "./Brand";
import { useNow, useZone } from "./clock";
import { Keys } from "./Keys";
import { openStream, useLive } from "./live";
import { PAGES } from "./pages";
import { useLogOut, useMay, useMe } from "./session";

/** The frame around all pages: navigation, who is logged in, and whether what is shown is still so. */
export function Shell() {
  const [open, menu] = useDisclosure(false);
  const path = useRouterState({ select: (state) => state.location.pathname });
  const may = useMay();
  useEffect(openStream, []);
  return (
    <AppShell
      header={{ height: 52 }}
      navbar={{ width: 208, breakpoint: "sm", collapsed: { mobile: !open } }}
      padding={{ base: "sm", sm: "lg" }}
    >
      <Anchor href="#content" className="skip">
        {text.skip}
      </Anchor>
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="xs" wrap="nowrap">
            <Burger
              opened={open}
              onClick={menu.toggle}
              hiddenFrom="sm"
              size="sm"
              aria-label={text.nav.menu}
            />
            <Brand />
          </Group>
          <Group gap="sm" wrap="nowrap">
            <Keys />
            <Person />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label={text.nav.menu}>
        <ScrollArea>
          {PAGES.filter((page) => may(page.needs)).map(({ to, label, icon: Icon }) => (
            <NavLink
              key={to}
              component={Link}
              to={to}
              label={label}
              active={to === "/" ? path === "/" : path === to || path.startsWith(`${to}/`)}
              leftSection={<Icon size={18} stroke={1.6} aria-hidden />}
              onClick={menu.close}
            />
          ))}
        </ScrollArea>
      </AppShell.Navbar>
      <AppShell.Main id="content" tabIndex={-1}>
        <Lost />
        <Outlet />
      </AppShell.Main>
    </AppShell>
  );
}

/** Says within three seconds that nothing is heard any more, and how old what is shown has become. */
function Lost() {
  const lostAtMs = useLive((live) => live.lostAtMs);
  const now = useNow();
  return (
    <div role="status" aria-live="polite">
      {lostAtMs !== undefined && (
        <Alert color="yellow" icon={<IconPlugConnectedX />} mb="md" p="xs" data-testid="lost">
          {text.live.lost(span(now - lostAtMs))}
        </Alert>
      )}
    </div>
  );
}

function Person() {
  const me = useMe();
  const logOut = useLogOut();
  const navigate = useNavigate();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const { zone, setZone } = useZone();
  return (
    <Menu position="bottom-end" width={260} closeOnItemClick={false}>
      <Menu.Target>
        <UnstyledButton>
          <Group gap={8} wrap="nowrap">
            <IconUser size={18} aria-hidden />
            <VisuallyHidden hiddenFrom="xs">
              {me.username} {me.role}
            </VisuallyHidden>
            <Text size="sm" visibleFrom="xs">
              {me.username}
            </Text>
            <Text size="xs" c="dimmed" visibleFrom="xs">
              {me.role}
            </Text>
          </Group>
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{text.theme.label}</Menu.Label>
        <SegmentedControl
          fullWidth
          size="xs"
          aria-label={text.theme.label}
          value={colorScheme}
          onChange={(value) => setColorScheme(value)}
          data={[
            { value: "auto", label: text.theme.auto },
            { value: "light", label: text.theme.light },
            { value: "dark", label: text.theme.dark },
          ]}
        />
        <Menu.Label>{text.zone.label}</Menu.Label>
        <SegmentedControl
          fullWidth
          size="xs"
          aria-label={text.zone.label}
          value={zone}
          onChange={(value) => setZone(value)}
          data={[
            { value: "local", label: text.zone.local },
            { value: "UTC", label: text.zone.UTC },
          ]}
        />
        <Menu.Divider />
        <Menu.Item component={Link} to="/profile" leftSection={<IconUser size={16} />} closeMenuOnClick>
          {text.nav.profile}
        </Menu.Item>
        <Menu.Item
          leftSection={<IconLogout size={16} />}
          onClick={() => void logOut().then(() => navigate({ to: "/login" }))}
        >
          {text.nav.logOut}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
