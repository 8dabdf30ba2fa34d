// The service below a URLPrefix, as behind a proxy that shares its host name: nothing the page loads, links to, asks or listens to
// stands outside.
import type { Page, Request } from "@playwright/test";
import { fleet } from "../support/fleet";
import { expect, test } from "../support/page";

const base = process.env.PREFIX_URL ?? "";
const prefix = base ? new URL(base).pathname : "";
test.skip(!base, "needs scripts/with-fleet.sh --beside prefix");

function listen(page: Page) {
  const requests: Request[] = [];
  page.on("request", (request) => requests.push(request));
  return {
    outside: () => requests.map((r) => new URL(r.url())).filter((u) => !u.pathname.startsWith(prefix)).map(String),
    paths: () => requests.map((r) => new URL(r.url()).pathname.slice(prefix.length)),
  };
}

async function linksOutside(page: Page) {
  const addresses = await page.locator("a[href]").evaluateAll((all) => all.map((a) => (a as HTMLAnchorElement).href));
  expect(addresses.length).toBeGreaterThan(3);
  return addresses.filter((address) => !address.startsWith(base));
}

test("page, styles, program, API and events all come from below the prefix", async ({ page }) => {
  const heard = listen(page);
  const response = await page.goto(base);
  expect(response?.url()).toBe(`${base}web/clusters`);
  await expect(page.getByText("live", { exact: true })).toBeVisible();
  await expect(page.locator(".cluster-row").getByRole("link", { name: "orders" })).toBeVisible({ timeout: 20_000 });
  expect(heard.outside()).toEqual([]);
  for (const wanted of ["frontend_bg.wasm", "boot.js", "tokens.css", "api/v2/clusters", "api/v2/events"]) {
    expect(heard.paths()).toContain(wanted);
  }
});

test("links stay below the prefix, and so does walking them", async ({ page }) => {
  const heard = listen(page);
  await page.goto(`${base}web/clusters`);
  const orders = page.locator(".cluster-row").getByRole("link", { name: "orders" });
  await expect(orders).toBeVisible({ timeout: 20_000 });
  expect(await linksOutside(page)).toEqual([]);
  await orders.click();
  await expect(page).toHaveURL(`${base}web/cluster/orders`);
  for (const name of ["Recoveries", "Audit", "Status", "Discover"]) {
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name }).click();
    await expect(page).toHaveURL(`${base}web/${name.toLowerCase()}`);
    await expect(page.getByRole("heading", { level: 1, name })).toBeVisible();
    expect(await linksOutside(page), name).toEqual([]);
  }
  await page.goBack();
  await expect(page).toHaveURL(`${base}web/status`);
  expect(heard.outside()).toEqual([]);
});

test("a deep link is the same page after a reload, and a plan is asked for below the prefix", async ({ page }) => {
  const key = fleet.key(fleet.orders[4]);
  const details = page.getByRole("complementary", { name: "Details" });
  await page.goto(`${base}web/cluster/orders?server=${key}`);
  // What is under way when a page is left is a complaint on its console.
  await expect(details.getByRole("heading", { level: 2 })).toHaveText(key);
  await expect(page.getByText("live", { exact: true })).toBeVisible();
  const heard = listen(page);
  await page.reload();
  await expect(details.getByRole("heading", { level: 2 })).toHaveText(key);
  await expect(page).toHaveURL(`${base}web/cluster/orders?server=${key}`);
  await details.getByRole("button", { name: "Stop replication" }).click();
  await expect(page.getByText("nothing is changed yet")).toBeVisible();
  expect(heard.paths()).toContain("api/v2/plans");
  expect(heard.outside()).toEqual([]);
});

test("the addresses of the original lead there below the prefix too", async ({ page }) => {
  await page.goto(`${base}web/audit-recovery`);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Recoveries");
});
