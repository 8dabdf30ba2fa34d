// A source dies with the only replica that had its last writes. Nobody is promoted until an operator has named them. Runs last: the
// cluster is another one afterwards.
import { AxeBuilder } from "@axe-core/playwright";
import { fleet, needsFleet } from "../support/fleet";
import { expect, test } from "../support/page";

needsFleet();
test.setTimeout(180_000);

test("a recovery that would lose writes goes on once they were named, and not before", async ({ page, complaints }) => {
  const [source, intermediate, , , holder, other] = fleet.orders;
  const word = fleet.sandbox("status", "--port", source).includes("mysql") ? "REPLICA" : "SLAVE";
  for (const port of [intermediate, other]) fleet.ask(port, `STOP ${word} IO_THREAD`);
  // What only those two have by now is known before they die.
  await page.waitForTimeout(12_000);
  fleet.sandbox("kill", "--port", source, "--port", holder);

  const latest = async () => (await (await page.request.get("/api/v2/recoveries?cluster=orders")).json())[0];
  await expect.poll(async () => (await latest())?.state?.reason ?? "", { timeout: 60_000 }).toContain("data-at-risk");
  const refused = await latest();
  await page.goto(`/web/recovery/${encodeURIComponent(refused.uid)}`);
  const section = page.getByRole("region", { name: "Writes at risk" });
  await expect(section).toContainText("would lose writes");
  const named = (await section.locator("pre").innerText()).trim();
  expect(refused.state.reason).toContain(named);

  await section.getByRole("button", { name: "Accept the loss" }).click();
  const go = section.getByRole("button", { name: "Lose them and recover" });
  await expect(go).toBeDisabled();
  await section.getByLabel("Name these transactions").fill("some of them");
  await expect(section.getByText("These are not the transactions at risk.")).toBeVisible();
  await expect(go).toBeDisabled();
  await page.emulateMedia({ reducedMotion: "reduce" });
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(" ")}`)).toEqual([]);

  await section.getByLabel("Name these transactions").fill(named);
  await expect(async () => {
    // The refused one may hold the cluster for a moment yet.
    if (await go.isVisible()) await go.click();
    await expect(page).not.toHaveURL(new RegExp(encodeURIComponent(refused.uid)), { timeout: 3_000 });
  }).toPass({ timeout: 30_000 });
  await expect.poll(async () => (await latest())?.state?.state, { timeout: 60_000 }).toBe("succeeded");
  await expect(page.getByText("their loss was accepted by name").first()).toBeVisible();
  const done = await latest();
  expect(fleet.ask(String(done.successor.Port), "SELECT @@read_only")).toBe("0");
  for (let i = complaints.length - 1; i >= 0; i--) if (/40[49]/.test(complaints[i])) complaints.splice(i, 1);
});
