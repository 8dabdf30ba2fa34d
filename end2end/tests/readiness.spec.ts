// "Would it fail over, and why not?" is answered beside the tree, by pointer, by keyboard and by address.
import { AxeBuilder } from "@axe-core/playwright";
import { box, fleet, needsFleet, openCluster } from "../support/fleet";
import { expect, test } from "../support/page";

needsFleet();

test("readiness says who would take over from each source, and why not the others", async ({ page }) => {
  const [source, ...replicas] = fleet.orders;
  await openCluster(page, "orders", fleet.orders.map(fleet.key));
  await page.getByRole("link", { name: "Would it fail over, and why not?" }).click();
  await expect(page).toHaveURL(/panel=readiness/);
  const panel = page.getByRole("complementary", { name: "Details" });
  const primary = panel.getByRole("region", { name: fleet.key(source), exact: true });
  await expect(primary).toContainText("primary, if it died now");
  await expect(primary).toContainText("would be promoted");
  await expect(primary.locator(".considered li")).toHaveCount(3);
  await expect(primary.locator(".considered").getByText("best", { exact: true })).toHaveCount(1);
  await expect(primary).toContainText(/Semi-sync is (on|off|active)/);
  await primary.getByText("Who sees it now").click();
  await expect(primary.locator(".evidence li")).toHaveCount(4);
  await expect(primary.locator(".evidence")).toContainText("our own probe");
  await expect(panel).toContainText("intermediate source, if it died now");

  // What operators say changes the answer, without a reload and without closing what is open.
  const chosen = await primary.locator(".considered li", { hasText: "best" }).locator("strong").textContent();
  expect(replicas.map(fleet.key)).toContain(chosen);
  const rule = (name: string) =>
    page.request.put(`/api/v2/servers/${chosen}/promotion-rule`, { data: { rule: name }, headers: { "sec-fetch-site": "same-origin" } });
  const line = primary.locator(".considered li").filter({ has: page.locator("strong", { hasText: chosen ?? "" }) });
  expect((await rule("must_not")).status()).toBe(204);
  await expect(line).toContainText("must-not", { timeout: 20_000 });
  await expect(primary.locator(".evidence")).toBeVisible();
  expect((await rule("neutral")).status()).toBe(204);
  await expect(line).not.toContainText("must-not", { timeout: 20_000 });
});

test("the keyboard reaches readiness of a server, and its address shows it again", async ({ page }) => {
  const key = fleet.key(fleet.orders[0]);
  await openCluster(page, "orders", fleet.orders.map(fleet.key));
  await box(page, key).focus();
  await page.keyboard.press("r");
  await expect(page).toHaveURL(new RegExp(`server=${key}.*panel=readiness`));
  const panel = page.getByRole("complementary", { name: "Details" });
  await expect(panel.getByRole("heading", { name: "Would it fail over?" })).toBeVisible();
  await expect(panel.locator(".forecast")).toHaveCount(1);
  await page.reload();
  await expect(panel.getByRole("region", { name: key, exact: true })).toBeVisible();
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(" ")}`)).toEqual([]);
  await panel.getByRole("button", { name: "Close readiness" }).click();
  await expect(page).not.toHaveURL(/panel=/);
  await expect(panel.getByRole("heading", { level: 2 }).first()).toHaveText(key);
});

test("recoveries that are switched off are said to be in the way", async ({ page }) => {
  const recoveries = (enabled: boolean) =>
    page.request.put("/api/v2/settings/recoveries", { data: { enabled }, headers: { "sec-fetch-site": "same-origin" } });
  expect((await recoveries(false)).status()).toBe(204);
  try {
    await page.goto("/web/cluster/users?panel=readiness");
    const primary = page.getByRole("region", { name: fleet.key(fleet.users[0]), exact: true });
    await expect(primary.getByRole("list", { name: "In the way" })).toContainText("switched-off");
    await expect(primary).toContainText("held back");
  } finally {
    expect((await recoveries(true)).status()).toBe(204);
  }
  const primary = page.getByRole("region", { name: fleet.key(fleet.users[0]), exact: true });
  await expect(primary).toContainText("automatic", { timeout: 20_000 });
});
