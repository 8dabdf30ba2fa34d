// axe finds nothing, on any page, in any theme.
import { AxeBuilder } from "@axe-core/playwright";
import { fleet } from "../support/fleet";
import { expect, test } from "../support/page";

const cluster = fleet.here ? "orders" : "nowhere";
const addresses = [
  "/web/clusters",
  `/web/cluster/${cluster}`,
  ...(fleet.here ? [`/web/cluster/orders?server=${fleet.key(fleet.orders[1])}`, "/web/cluster/orders?panel=readiness"] : []),
  "/web/recoveries",
  "/web/audit",
  "/web/status",
  "/web/discover",
  "/web/search?s=127",
  "/web/nothing-lives-here",
];

for (const address of addresses) {
  test(`axe finds nothing at ${address}, in any theme`, async ({ page, complaints }) => {
    await page.goto(address);
    await expect(page.getByRole("heading").first()).toBeVisible();
    await expect(page.getByText("Reading…")).toHaveCount(0);
    if (address.includes("panel=readiness")) {
      await expect(page.getByRole("heading", { name: "Would it fail over?" })).toBeVisible();
      // What is folded is looked at too.
      await page.locator(".forecast details").evaluateAll((all) => all.forEach((one) => ((one as HTMLDetailsElement).open = true)));
      await expect(page.locator(".forecast .evidence").first()).toBeVisible();
    }
    // Colours fade from theme to theme: axe is not to measure them half-way.
    await page.emulateMedia({ reducedMotion: "reduce" });
    for (const theme of ["light", "dark", "contrast"]) {
      await page.evaluate((name) => document.documentElement.setAttribute("data-theme", name), theme);
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations.map((v) => `${theme}: ${v.id}: ${v.nodes.map((n) => n.html).join(" ")}`)).toEqual([]);
    }
    // A cluster that is not there is answered with 404, which the browser writes down.
    if (!fleet.here) complaints.length = 0;
  });
}

test("the palette opens by keyboard, finds a page and gives the focus back", async ({ page }) => {
  await page.goto("/web/clusters");
  await page.getByRole("link", { name: "Audit" }).focus();
  await page.keyboard.press("Control+k");
  const input = page.getByRole("combobox", { name: /^Find a server/ });
  await expect(input).toBeFocused();
  const { violations } = await new AxeBuilder({ page }).include(".palette").analyze();
  expect(violations.map((v) => v.id)).toEqual([]);
  await page.keyboard.press("Escape");
  await expect(page.getByRole("link", { name: "Audit" })).toBeFocused();
  await page.keyboard.press("Control+k");
  await input.fill("status");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/web\/status$/);
});

test("an address of the original leads to the page that belongs there", async ({ page }) => {
  await page.goto("/web/audit-recovery");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Recoveries");
  await page.goto("/web/agents");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Nothing lives here");
});
