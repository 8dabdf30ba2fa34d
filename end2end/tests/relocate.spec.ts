// The main job: a replica, and a replica with replicas of its own, moved by drag, by keyboard and refused where a rule forbids it.
import { box, dragTo, fleet, needsFleet, openCluster } from "../support/fleet";
import { expect, test } from "../support/page";

needsFleet();
test.describe.configure({ mode: "serial" });

const all = fleet.orders;
const [source, intermediate, below, , replica, other] = all;

test("dragging a replica shows the plan, applies it on Enter, and the server itself says so", async ({ page }) => {
  await openCluster(page, "orders", all.map(fleet.key));
  await dragTo(page, fleet.key(replica), fleet.key(other), "Replicate below");
  await expect(page.getByText("nothing is changed yet")).toBeVisible();
  await expect(page.getByRole("button", { name: /^Apply/ })).toBeFocused();
  expect(fleet.sourcePort(replica), "a plan changes nothing").toBe(source);
  await page.getByRole("button", { name: "Afterwards" }).click();
  await expect(box(page, fleet.key(replica))).toHaveAttribute("aria-level", "3");
  await page.getByRole("button", { name: /^Apply/ }).focus();
  await page.keyboard.press("Enter");
  await expect(page.getByText(/done in/)).toBeVisible({ timeout: 30_000 });
  await expect(page.locator(".step .step-word").filter({ hasNotText: "done" })).toHaveCount(0);
  expect(fleet.sourcePort(replica)).toBe(other);
  await expect(box(page, fleet.key(replica))).toHaveAttribute("aria-level", "3");
});

test("the keyboard moves a server back", async ({ page }) => {
  await openCluster(page, "orders", all.map(fleet.key));
  await box(page, fleet.key(replica)).focus();
  await page.keyboard.press("m");
  await expect(page.getByText(`Moving ${fleet.key(replica)}`)).toBeVisible();
  const over = box(page, fleet.key(source));
  for (let i = 0; i < all.length && !/\bover\b/.test((await over.getAttribute("class")) ?? ""); i++) {
    await page.keyboard.press("ArrowRight");
  }
  await expect(over).toHaveClass(/\bover\b/);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("button", { name: /^Apply/ })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByText(/done in/)).toBeVisible({ timeout: 30_000 });
  expect(fleet.sourcePort(replica)).toBe(source);
});

test("a sub-tree moves as a whole", async ({ page }) => {
  await openCluster(page, "orders", all.map(fleet.key));
  await dragTo(page, fleet.key(intermediate), fleet.key(other), "Replicate below");
  await page.getByRole("button", { name: /^Apply/ }).click();
  await expect(page.getByText(/done in/)).toBeVisible({ timeout: 30_000 });
  expect(fleet.sourcePort(intermediate)).toBe(other);
  expect(fleet.sourcePort(below), "what hangs below it goes along").toBe(intermediate);
  await expect(box(page, fleet.key(below))).toHaveAttribute("aria-level", "4");
});

test("an impossible move is refused with its reason and changes nothing", async ({ page }) => {
  await openCluster(page, "orders", all.map(fleet.key));
  // The intermediate source hangs below `other` now.
  const rect = await box(page, fleet.key(other)).boundingBox();
  const to = await box(page, fleet.key(intermediate)).boundingBox();
  if (!rect || !to) throw new Error("not on the screen");
  await page.mouse.move(rect.x + 40, rect.y + 20);
  await page.mouse.down();
  await page.mouse.move(rect.x + 60, rect.y + 40, { steps: 3 });
  await page.mouse.move(to.x + to.width / 2, to.y + 12, { steps: 8 });
  await expect(box(page, fleet.key(intermediate)).getByText("is itself below")).toBeVisible();
  await page.mouse.up();
  await expect(page.getByRole("log", { name: "Notices" }).getByText("below-itself")).toBeVisible();
  expect(fleet.sourcePort(other)).toBe(source);
  expect(fleet.sourcePort(intermediate)).toBe(other);
});

test("Escape puts a held server back", async ({ page }) => {
  await openCluster(page, "orders", all.map(fleet.key));
  const rect = await box(page, fleet.key(replica)).boundingBox();
  if (!rect) throw new Error("not on the screen");
  await page.mouse.move(rect.x + 40, rect.y + 20);
  await page.mouse.down();
  await page.mouse.move(rect.x + 90, rect.y + 90, { steps: 4 });
  await expect(page.locator(".holding")).toHaveCount(1);
  await page.keyboard.press("Escape");
  await expect(page.locator(".holding")).toHaveCount(0);
  await page.mouse.up();
  await expect(page.getByText("nothing is changed yet")).toHaveCount(0);
});
