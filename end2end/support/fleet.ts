// The servers that scripts/with-fleet.sh started: cluster `orders` (source, intermediate source with two replicas, two more
// replicas) and cluster `users` (source, two replicas).
import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "@playwright/test";
import { expect, test } from "./page";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

function ports(name: string): string[] {
  return (process.env[name] ?? "").split(" ").filter(Boolean);
}

export const fleet = {
  here: Boolean(process.env.FLEET_SERVERS && process.env.FLEET_ORDERS && process.env.FLEET_USERS),
  orders: ports("FLEET_ORDERS"),
  users: ports("FLEET_USERS"),
  key: (port: string) => `127.0.0.1:${port}`,
  sandbox(command: string, ...more: string[]): string {
    const all = [command, "--dir", process.env.FLEET_SERVERS ?? "", ...more];
    return execFileSync(join(root, "scripts/sandbox"), all, { encoding: "utf8", timeout: 60_000 });
  },
  /// One value of one row, as the server itself says.
  ask(port: string, statement: string): string {
    return this.sandbox("sql", "--port", port, statement).trim();
  },
  /// The port that a replica replicates from, as the replica itself says.
  sourcePort(port: string): string {
    const flavor = this.sandbox("status", "--port", port);
    const statement = flavor.includes("mysql") ? "SHOW REPLICA STATUS\\G" : "SHOW SLAVE STATUS\\G";
    return /(?:Source|Master)_Port: (\d+)/.exec(this.ask(port, statement))?.[1] ?? "";
  },
};

/// Skips a file's tests where no real servers were started.
export function needsFleet() {
  test.skip(!fleet.here, "needs the servers that scripts/with-fleet.sh starts");
}

export function box(page: Page, key: string) {
  return page.getByRole("tree").locator(`[data-key="${key}"]`);
}

/// Opens a cluster and waits until all its servers are drawn.
export async function openCluster(page: Page, name: string, servers: string[]) {
  await page.goto(`/web/cluster/${name}`);
  await expect(page.getByRole("tree").getByRole("treeitem")).toHaveCount(servers.length);
  // The page offers changes once it knows who is looking.
  await expect(page.getByText("move it: arrows choose")).toBeVisible();
}

/// Drags one server over a labelled zone of another, and lets go there.
export async function dragTo(page: Page, moved: string, target: string, zone: string) {
  const middle = async (key: string) => {
    const rect = await box(page, key).boundingBox();
    if (!rect) throw new Error(`${key} is not on the screen`);
    return { x: rect.x + rect.width / 2, y: rect.y + rect.height / 2 };
  };
  const from = await middle(moved);
  const to = await middle(target);
  await page.mouse.move(from.x, from.y);
  await page.mouse.down();
  await page.mouse.move(from.x + 12, from.y + 12, { steps: 3 });
  await page.mouse.move(to.x, to.y, { steps: 8 });
  const label = box(page, target).getByText(zone, { exact: true });
  const area = await label.boundingBox();
  if (!area) throw new Error(`${target} offers no zone "${zone}"`);
  await page.mouse.move(area.x + area.width / 2, area.y + area.height / 2, { steps: 3 });
  await page.mouse.up();
}
