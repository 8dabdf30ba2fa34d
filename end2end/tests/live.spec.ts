// What happens to the servers is on the screen without a reload, and a lost service is never hidden.
import { box, fleet, needsFleet, openCluster } from "../support/fleet";
import { expect, test } from "../support/page";

needsFleet();

test("stopping replication behind the page's back shows up, and starting it again too", async ({ page }) => {
  const [, , replica] = fleet.users;
  const mysql = fleet.sandbox("status", "--port", replica).includes("mysql");
  await openCluster(page, "users", fleet.users.map(fleet.key));
  fleet.ask(replica, mysql ? "STOP REPLICA" : "STOP SLAVE");
  await expect(box(page, fleet.key(replica))).toContainText("not replicating", { timeout: 20_000 });
  await expect(page.locator(".edge.broken")).toHaveCount(1);
  fleet.ask(replica, mysql ? "START REPLICA" : "START SLAVE");
  await expect(box(page, fleet.key(replica))).not.toContainText("not replicating", { timeout: 20_000 });
});

test("a service that is not heard makes the page say so", async ({ page, complaints }) => {
  await openCluster(page, "users", fleet.users.map(fleet.key));
  await expect(page.getByText("live", { exact: true })).toBeVisible();
  await page.context().setOffline(true);
  await expect(page.getByText(/Not live: the service is not heard since/)).toBeVisible({ timeout: 40_000 });
  await page.context().setOffline(false);
  await expect(page.getByText("live", { exact: true })).toBeVisible({ timeout: 40_000 });
  complaints.length = 0;
});

test("every state has an address", async ({ page }) => {
  const key = fleet.key(fleet.users[1]);
  await openCluster(page, "users", fleet.users.map(fleet.key));
  await box(page, key).click();
  await expect(page).toHaveURL(new RegExp(`server=${key}`));
  await page.reload();
  await expect(page.getByRole("complementary", { name: "Details" }).getByRole("heading", { level: 2 })).toHaveText(key);
  await page.goBack();
  await expect(page).not.toHaveURL(/server=/);
});
