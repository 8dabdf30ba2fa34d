// Somebody who may look and not act: sees everything, finds no act to press, is told why, and is never refused.
import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { box, fleet } from "../support/fleet";
import { expect, test } from "../support/page";

const base = process.env.VIEWER_URL ?? "";
test.skip(!base, "needs scripts/with-fleet.sh --beside viewer");
test.use({
  baseURL: base,
  httpCredentials: { username: process.env.VIEWER_USER ?? "", password: process.env.VIEWER_PASSWORD ?? "" },
});

// What only looks. A button that is not named here acts, and must not be there.
const LOOKS = [/^Filter$/, 
  /^Search/, /^Theme:/, /^Larger/, /^Smaller/, /^Fit all/, /^Turn the tree/, /^Close/, /^(Collapse|Expand)/, /^(Copy|Save)/,
  /^(Next|Previous) problem/, /^Group/, /^Remove the view/,
];

async function acts(page: Page) {
  const names: string[] = [];
  for (const button of await page.getByRole("button").all()) {
    if (!(await button.isDisabled())) names.push((await button.getAttribute("aria-label")) ?? (await button.innerText()));
  }
  return names.filter((name) => !LOOKS.some((look) => look.test(name.trim())));
}

test("no page offers an act, says why not, or is refused anything", async ({ page, complaints }) => {
  const refused: string[] = [];
  const changing: string[] = [];
  page.on("response", (response) => response.status() >= 400 && refused.push(`${response.status()} ${response.url()}`));
  page.on("request", (request) => request.method() !== "GET" && changing.push(`${request.method()} ${request.url()}`));
  const server = fleet.key(fleet.orders[4]);
  for (const address of [
    "/web/clusters", "/web/cluster/orders", `/web/cluster/orders?server=${server}`, "/web/recoveries", "/web/audit",
    "/web/status", "/web/discover", "/web/search?s=127",
  ]) {
    await page.goto(address);
    await expect(page.getByRole("status", { name: "State of the service" })).toContainText(
      "You may look and not act: ReadOnly is set in the configuration",
    );
    await expect(page.getByText("Reading…")).toHaveCount(0);
    expect(await acts(page), address).toEqual([]);
  }
  // The first answer of all asks for name and password; the browser's own question, not the page's.
  expect(refused.filter((line) => !line.startsWith("401"))).toEqual([]);
  expect(changing).toEqual([]);
  for (let i = complaints.length - 1; i >= 0; i--) if (complaints[i].includes("401")) complaints.splice(i, 1);
});

test("where an act would stand, the page says who could do it", async ({ page }) => {
  await page.goto("/web/discover");
  await expect(page.getByText("An operator can make servers known.")).toBeVisible();
  await page.goto("/web/status");
  await expect(page.getByText("An administrator can switch them.")).toBeVisible();
  await page.goto(`/web/cluster/orders?server=${fleet.key(fleet.orders[4])}`);
  await expect(page.getByText("An operator can move, stop, promote")).toBeVisible();
});

test("a server cannot be picked up, by pointer or by key", async ({ page }) => {
  await page.goto("/web/cluster/orders");
  const server = box(page, fleet.key(fleet.orders[4]));
  await expect(server).toBeVisible({ timeout: 20_000 });
  await expect(page.getByText("You may look and not act")).toBeVisible();
  await server.focus();
  await page.keyboard.press("m");
  await expect(page.locator(".holding")).toHaveCount(0);
  const rect = await server.boundingBox();
  if (!rect) throw new Error("not on the screen");
  await page.mouse.move(rect.x + 40, rect.y + 20);
  await page.mouse.down();
  await page.mouse.move(rect.x + 120, rect.y + 120, { steps: 4 });
  await expect(page.locator(".holding")).toHaveCount(0);
  await page.mouse.up();
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: /^Find a server/ }).fill("switch recoveries");
  await expect(page.getByRole("option", { name: /Switch recoveries/ })).toHaveCount(0);
});

test("it is live for a viewer too, and axe finds nothing", async ({ page }) => {
  await page.goto("/web/cluster/users");
  await expect(page.getByText("live", { exact: true })).toBeVisible();
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(" ")}`)).toEqual([]);
});

test("without a name and password nothing is shown", async () => {
  for (const address of ["/web/clusters", "/api/v2/clusters", "/frontend.js"]) {
    // Not the browser's own requests: those carry the name and password.
    expect((await fetch(new URL(address, base))).status, address).toBe(401);
  }
});
