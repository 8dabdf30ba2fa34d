// Many clusters made few: words, places, groups, and views that keep a name.
import { needsFleet } from "../support/fleet";
import { expect, test } from "../support/page";

needsFleet();

test("words and places filter the clusters, and the address keeps it", async ({ page }) => {
  await page.goto("/web/clusters");
  const rows = page.locator("li.cluster-row");
  await expect(rows).toHaveCount(2);
  const field = page.getByRole("searchbox", { name: /Filter clusters/ });
  await field.fill("ord auto:on");
  await expect(rows).toHaveCount(1);
  await expect(page).toHaveURL(/filter=ord%20auto:on/);
  await page.reload();
  await expect(rows).toHaveCount(1);
  await field.fill("tag:nobody");
  await expect(page.getByText("No cluster matches.")).toBeVisible();
});

test("clusters are grouped, and a view that was named is there again", async ({ page }) => {
  await page.goto("/web/clusters");
  await page.getByLabel("Group by").selectOption("version");
  await expect(page.getByRole("heading", { level: 2, name: /(MariaDB|MySQL) \d+\.\d+/ })).toBeVisible();
  await page.getByRole("button", { name: "Save this view…" }).click();
  await page.getByLabel("Name of the view").fill("by version");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.goto("/web/clusters");
  await expect(page.getByRole("heading", { level: 2 })).toHaveCount(0);
  await page.getByRole("list", { name: "Saved views" }).getByRole("link", { name: "by version" }).click();
  await expect(page).toHaveURL(/group=version/);
  await expect(page.getByRole("heading", { level: 2 })).toHaveCount(1);
  await page.getByRole("button", { name: "Remove the view by version" }).click();
  await expect(page.getByRole("list", { name: "Saved views" }).getByRole("listitem")).toHaveCount(0);
});
