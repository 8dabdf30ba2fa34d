// A large tree made small: sub-trees folded, only trouble shown, one server found. Before anything moves in cluster orders.
import { box, fleet, needsFleet, openCluster } from "../support/fleet";
import { expect, test } from "../support/page";

needsFleet();

const all = fleet.orders;
const [source, intermediate, below] = all;

test("a folded sub-tree tells how many are in it and how they do, and its address shows the same", async ({ page }) => {
  await openCluster(page, "orders", all.map(fleet.key));
  const items = page.getByRole("tree").getByRole("treeitem");
  const key = fleet.key(intermediate);
  await page.getByRole("button", { name: `Collapse ${key}: 2 below` }).click();
  await expect(items).toHaveCount(4);
  const expand = page.getByRole("button", { name: `Expand ${key}: 2 servers are not drawn: 2 ok` });
  await expect(expand).toHaveText("2 ok");
  await expect(box(page, key)).toHaveAttribute("aria-expanded", "false");
  await expect(page).toHaveURL(/folded=127/);
  await page.reload();
  await expect(items).toHaveCount(4);
  await box(page, key).focus();
  await page.keyboard.press("c");
  await expect(items).toHaveCount(6);
  await page.getByRole("button", { name: "Collapse all sub-trees" }).click();
  await expect(items).toHaveCount(4);
  await page.getByRole("button", { name: "Expand all" }).click();
  await expect(items).toHaveCount(6);
});

test("only trouble leaves out replicas that are well, and shows one that is not", async ({ page }) => {
  await openCluster(page, "orders", all.map(fleet.key));
  await page.getByLabel("Only trouble").check();
  await expect(box(page, fleet.key(source))).toBeVisible();
  await expect(box(page, fleet.key(below))).toHaveCount(0);
  await expect(page).toHaveURL(/show=trouble/);
  const mysql = fleet.sandbox("status", "--port", below).includes("mysql");
  fleet.ask(below, mysql ? "STOP REPLICA" : "STOP SLAVE");
  try {
    await expect(box(page, fleet.key(below))).toContainText("not replicating", { timeout: 20_000 });
    await page.keyboard.press("p");
    await expect(page.getByRole("complementary", { name: "Details" }).getByRole("heading", { level: 2 })).toHaveText(fleet.key(below));
  } finally {
    fleet.ask(below, mysql ? "START REPLICA" : "START SLAVE");
  }
  await expect(box(page, fleet.key(below))).not.toContainText("not replicating", { timeout: 20_000 });
});

test("a server is found by what is known of it, from the keyboard", async ({ page }) => {
  await openCluster(page, "orders", all.map(fleet.key));
  await page.keyboard.press("/");
  await page.keyboard.type(`:${below}`);
  await expect(page.getByText("1 found")).toBeVisible();
  await expect(page.locator(".node.dimmed")).toHaveCount(5);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(new RegExp(`server=${fleet.key(below)}`));
  await page.keyboard.press("Escape");
  await expect(page.locator(".node.dimmed")).toHaveCount(0);
});
