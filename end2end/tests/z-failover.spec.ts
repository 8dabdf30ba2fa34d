// A source is killed while the page is open. Runs last: the cluster is another one afterwards.
import { box, fleet, needsFleet, openCluster } from "../support/fleet";
import { expect, test } from "../support/page";

needsFleet();

test("killing a source is shown as it happens, with its reasons", async ({ page, complaints }) => {
  const [source, ...replicas] = fleet.users;
  await openCluster(page, "users", fleet.users.map(fleet.key));
  const reloads: string[] = [];
  page.on("framenavigated", (frame) => frame === page.mainFrame() && reloads.push(frame.url()));
  fleet.sandbox("kill", "--port", source);

  const strip = page.getByRole("region", { name: "Latest recovery" });
  await expect(strip).toContainText(/DeadMaster/, { timeout: 20_000 });
  await expect(strip).toContainText(/promoted/, { timeout: 20_000 });
  const writeable = () => replicas.filter((port) => fleet.ask(port, "SELECT @@read_only") === "0");
  await expect.poll(() => writeable().length).toBe(1);
  const [successor] = writeable();
  await expect(box(page, fleet.key(successor))).toContainText("rw");
  await expect(box(page, fleet.key(successor))).toContainText("primary");
  expect(reloads, "nothing was loaded again").toEqual([]);

  await strip.getByRole("link", { name: "Why not another one?" }).click();
  await expect(page.getByRole("heading", { name: "Who was considered, and why not" })).toBeVisible();
  await expect(page.locator(".considered")).toContainText(fleet.key(successor));
  await page.getByLabel("Comment").fill("killed by a test");
  await page.getByRole("main").getByRole("button", { name: "Acknowledge" }).click();
  await expect(page.getByText("Acknowledged by")).toBeVisible();
  // The name of the cluster changes with its primary: asking for the former one is answered with 404 once.
  for (let i = complaints.length - 1; i >= 0; i--) if (complaints[i].includes("404")) complaints.splice(i, 1);
});
