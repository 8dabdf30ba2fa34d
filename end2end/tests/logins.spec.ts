// Logins: the first administrator, log in and out, users, tokens, sessions that end elsewhere. In order: each goes on where the one
// before left off.
import { readFileSync } from "node:fs";
import { AxeBuilder } from "@axe-core/playwright";
import type { Browser, Page } from "@playwright/test";
import { fleet } from "../support/fleet";
import { attack, lure, otherSite } from "../support/other-site";
import { expect, test } from "../support/page";

const base = process.env.LOGINS_URL ?? "";
test.skip(!base, "needs scripts/with-fleet.sh --beside logins");
test.use({ baseURL: base });
test.describe.configure({ mode: "serial" });

const PASSWORD = "correct horse battery";
const NEW_PASSWORD = "staple of a battery";
let password = PASSWORD;

// Being asked to log in is answered with 401, which the browser writes down.
test.afterEach(({ complaints }) => {
  for (let i = complaints.length - 1; i >= 0; i--) if (/40[13]/.test(complaints[i])) complaints.splice(i, 1);
});

async function logIn(page: Page, user: string, secret: string, address = "/web/clusters") {
  await page.goto(address);
  await page.getByLabel("User").fill(user);
  await page.getByLabel("Password").fill(secret);
  await page.getByRole("button", { name: "Log in" }).click();
}

async function elsewhere(browser: Browser) {
  const context = await browser.newContext({ baseURL: base });
  return context.newPage();
}

async function axe(page: Page) {
  await page.emulateMedia({ reducedMotion: "reduce" });
  for (const theme of ["light", "dark", "contrast"]) {
    await page.evaluate((name) => document.documentElement.setAttribute("data-theme", name), theme);
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations.map((v) => `${theme}: ${v.id}: ${v.nodes.map((n) => n.html).join(" ")}`)).toEqual([]);
  }
}

test("nobody sees anything before the first administrator is made with the code in the log", async ({ page }) => {
  expect((await fetch(new URL("/api/v2/clusters", base))).status).toBe(401);
  await page.goto("/web/status");
  await expect(page).toHaveURL(/\/web\/login\?to=web%2Fstatus/);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Set up");
  await expect(page.getByRole("navigation")).toHaveCount(0);
  await axe(page);
  await page.getByLabel("Set-up code").fill("nonsense");
  await page.getByLabel("User").fill("dba");
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Make the first administrator" }).click();
  await expect(page.getByRole("alert")).toContainText("wrong set-up code");
  const code = /set-up code ([^\s,"\\]+)/.exec(readFileSync(process.env.LOGINS_LOG ?? "", "utf8"))?.[1] ?? "";
  await page.getByLabel("Set-up code").fill(code);
  await page.getByRole("button", { name: "Make the first administrator" }).click();
  await expect(page).toHaveURL(/\/web\/status$/);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Status");
  await expect(page.getByText("live", { exact: true })).toBeVisible();
});

test("a wrong password is refused, the right one leads to where one was going, and logging out takes everything along", async ({ page }) => {
  await logIn(page, "dba", "not the password", "/web/cluster/orders");
  await expect(page.getByRole("alert")).toBeVisible();
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Log in" }).click();
  await expect(page).toHaveURL(/\/web\/cluster\/orders$/);
  await expect(page.getByRole("tree").getByRole("treeitem").first()).toBeVisible();
  const streams: string[] = [];
  page.on("request", (request) => request.url().includes("/events") && streams.push(request.url()));
  await page.getByRole("button", { name: "Log out" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Log in");
  await expect(page.getByRole("treeitem")).toHaveCount(0);
  expect((await page.request.get("/api/v2/clusters")).status()).toBe(401);
  await page.waitForTimeout(6_000);
  expect(streams, "the stream stays closed").toEqual([]);
});

test("an administrator makes a viewer, who sees everything and is offered nothing", async ({ page, browser }) => {
  await logIn(page, "dba", PASSWORD, "/web/users");
  const form = page.getByRole("region", { name: "New user" });
  await form.getByLabel("Name").fill("looker");
  await form.getByLabel("Password").fill(PASSWORD);
  await form.getByRole("button").click();
  await expect(page.getByRole("row", { name: /looker.*viewer/ })).toBeVisible();
  await axe(page);

  const viewer = await elsewhere(browser);
  await logIn(viewer, "looker", PASSWORD, "/web/cluster/orders");
  await expect(viewer.getByText("You may look and not act")).toBeVisible();
  await expect(viewer.getByRole("tree").getByRole("treeitem").first()).toBeVisible();
  await viewer.getByRole("treeitem").first().click();
  await expect(viewer.getByText("An operator can move, stop, promote")).toBeVisible();
  await viewer.goto("/web/users");
  await expect(viewer.getByText("An administrator sees and changes them.")).toBeVisible();
  await viewer.context().close();

  // Other rights count at once.
  await page.getByRole("row", { name: /looker/ }).getByRole("button", { name: "Change" }).click();
  const change = page.getByRole("region", { name: "Change a user" });
  await change.getByLabel("Role").selectOption("operator");
  await change.getByLabel("Only these clusters").fill("users");
  await change.getByRole("button", { name: "Change", exact: true }).click();
  await expect(page.getByRole("row", { name: /looker.*operator of users/ })).toBeVisible();
});

test("an operator of one cluster is offered acts there and not elsewhere", async ({ page }) => {
  await logIn(page, "looker", PASSWORD, "/web/cluster/users");
  await expect(page.getByText("You may change these clusters only: users")).toBeVisible();
  await page.getByRole("treeitem").first().click();
  await expect(page.getByRole("group", { name: "Actions" })).toBeVisible();
  await page.goto("/web/cluster/orders");
  await page.getByRole("treeitem").first().click();
  await expect(page.getByText("An operator can move, stop, promote")).toBeVisible();
});

test("a token is shown once, does what it may, and nothing once it is revoked", async ({ page }) => {
  await logIn(page, "dba", PASSWORD, "/web/tokens");
  const form = page.getByRole("region", { name: "New token" });
  await form.getByLabel("What it is for").fill("a test");
  await form.getByRole("button").click();
  const secret = (await page.locator(".secret").innerText()).trim();
  expect(secret).toMatch(/^orc_/);
  await axe(page);
  const call = (method: string, path: string) =>
    fetch(new URL(path, base), { method, headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" }, body: method === "GET" ? undefined : '{"enabled":false}' });
  expect((await call("GET", "/api/v2/clusters")).status).toBe(200);
  expect((await call("PUT", "/api/v2/settings/recoveries")).status, "a viewer's token").toBe(403);
  await page.reload();
  await expect(page.getByRole("row", { name: /a test/ })).toBeVisible();
  expect(await page.content()).not.toContain(secret);
  await page.getByRole("row", { name: /a test/ }).getByRole("button", { name: "Revoke" }).click();
  await expect(page.getByText("The token for a test is revoked.")).toBeVisible();
  expect((await call("GET", "/api/v2/clusters")).status).toBe(401);
});

test("a session that is ended elsewhere stops at once", async ({ page, browser }) => {
  const other = await elsewhere(browser);
  await logIn(other, "dba", PASSWORD, "/web/cluster/orders");
  await expect(other.getByText("live", { exact: true })).toBeVisible();
  await expect(other.getByRole("treeitem").first()).toBeVisible();

  await logIn(page, "dba", PASSWORD, "/web/account");
  const sessions = page.getByRole("region", { name: "Sessions", exact: true }).first();
  await expect(sessions.getByText("this one")).toHaveCount(1);
  await axe(page);
  while (await sessions.getByRole("button", { name: "End" }).count()) {
    const before = await sessions.getByRole("button", { name: "End" }).count();
    await sessions.getByRole("button", { name: "End" }).first().click();
    await expect(sessions.getByRole("button", { name: "End" })).toHaveCount(before - 1);
  }
  await expect(other.getByRole("heading", { level: 1 })).toHaveText("Log in", { timeout: 10_000 });
  await expect(other.getByRole("treeitem")).toHaveCount(0);
  await expect(other).toHaveURL(/login\?to=web%2Fcluster%2Forders/);
  await other.context().close();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Account");
});

test("one's own password is changed, and only the new one is good", async ({ page }) => {
  await logIn(page, "dba", PASSWORD, "/web/account");
  await page.getByLabel("Current password").fill(PASSWORD);
  await page.getByLabel("New password", { exact: true }).fill(NEW_PASSWORD);
  await page.getByLabel("New password again").fill("something else");
  await expect(page.getByRole("button", { name: "Change the password" })).toBeDisabled();
  await page.getByLabel("New password again").fill(NEW_PASSWORD);
  await page.getByRole("button", { name: "Change the password" }).click();
  await expect(page.getByText("The password is changed.")).toBeVisible();
  password = NEW_PASSWORD;
  await page.getByRole("banner").getByRole("button", { name: "Log out" }).click();
  await logIn(page, "dba", PASSWORD);
  await expect(page.getByRole("alert")).toBeVisible();
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
  await expect(page).toHaveURL(/\/web\/clusters$/);
});

test("what was done is in the audit, and can be filtered and kept", async ({ page }) => {
  await logIn(page, "dba", password, "/web/audit");
  const rows = page.getByRole("region", { name: "Audit rows" }).locator("tbody tr");
  await expect(rows.first()).toBeVisible();
  await page.getByLabel("Action").fill("failed-login");
  await page.getByRole("button", { name: "Filter" }).click();
  await expect(page).toHaveURL(/action=failed-login/);
  await expect(rows.first()).toContainText("failed-login");
  await expect(rows.filter({ hasNotText: "failed-login" })).toHaveCount(0);
  const file = await page.request.get(new URL((await page.getByRole("link", { name: "CSV" }).getAttribute("href")) ?? "", base).href);
  expect(file.headers()["content-type"]).toContain("text/csv");
  const lines = (await file.text()).trim().split("\r\n");
  expect(lines[0]).toContain("id,at,action");
  expect(lines.slice(1).every((line) => line.includes("failed-login"))).toBe(true);
  await page.getByRole("link", { name: "Show all" }).click();
  await expect(page).toHaveURL(/\/web\/audit$/);
});

test("a page of another origin changes nothing in the name of whoever visits it", async ({ browser }) => {
  test.setTimeout(180_000);
  const victim = await elsewhere(browser);
  await logIn(victim, "dba", password);
  await expect(victim).toHaveURL(/\/web\/clusters$/);
  const site = await otherSite();
  const port = fleet.orders[1];
  const open = process.env.ORCHESTRATOR_URL ?? "";
  const told = async (at: string, path: string) => (await victim.request.get(new URL(`/api/v2/${path}`, at).href)).json();
  const untouched = async () => {
    for (const at of [base, open]) {
      expect((await told(at, "settings/recoveries")).enabled, at).toBe(true);
      expect((await told(at, `servers/127.0.0.1:${port}`)).downtime, at).toBeNull();
    }
    expect((await told(base, "me")).user, "nor is the visitor logged out").toBe("dba");
    expect((await told(base, "users")).map((user: { name: string }) => user.name)).not.toContain("eve");
    expect(await told(base, "tokens")).toEqual([]);
  };
  await untouched();
  for (const [name, page] of Object.entries(site.pages)) {
    for (const at of [base, open]) {
      const gets = ["disable-global-recoveries", `begin-downtime/127.0.0.1/${port}/eve/hostile/1h`].map((path) => new URL(`/api/${path}`, at).href);
      const others = [
        { method: "PUT", path: "settings/recoveries", body: { enabled: false } },
        { method: "PUT", path: `servers/127.0.0.1:${port}/downtime`, body: { reason: "hostile", duration_seconds: 3600 } },
        { method: "POST", path: "users", body: { name: "eve", password: "eve was here 1", role: "admin" } },
        { method: "POST", path: "tokens", body: { name: "eve", role: "admin" } },
        { method: "POST", path: "logout", body: {} },
      ].map(({ method, path, body }) => ({ method, url: new URL(`/api/v2/${path}`, at).href, body }));
      const hostile = await victim.context().newPage();
      await hostile.goto(page);
      expect(await attack(hostile, gets, others), `${name}: what the page could read`).toEqual([]);
      expect(await lure(hostile, gets[0]), name).toContain("Unauthorized");
      await hostile.close();
      await untouched();
    }
  }
  await site.close();
  // The visitor's session did go along, and was of no use: the audit knows.
  const rows: { actor: string; message: string; reason: string }[] = await told(base, "audit?action=denied&actor=dba");
  expect(rows.some((row) => row.message.includes("/api/disable-global-recoveries") && row.reason.includes("another site"))).toBe(true);
  expect(rows.some((row) => row.message.includes("/api/v2/logout"))).toBe(true);
  await victim.context().close();
});
