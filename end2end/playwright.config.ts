// Browser tests. `ORCHESTRATOR_URL` names a running service; scripts/with-fleet.sh starts one with real servers.
import { defineConfig } from "@playwright/test";

export default defineConfig({
  testDir: "tests",
  // One folder for each run of those side by side (scripts/end2end.sh).
  outputDir: process.env.END2END_OUTPUT ?? "test-results",
  timeout: 60_000,
  // The page of an unoptimised build on a machine that compiles meanwhile.
  expect: { timeout: 15_000 },
  fullyParallel: false,
  workers: 1,
  // A build machine that stands still for a moment breaks a limit; once more then, and named as flaky.
  retries: process.env.CI ? 1 : 0,
  forbidOnly: true,
  reporter: [["list"]],
  globalSetup: "./support/setup.ts",
  use: {
    baseURL: process.env.ORCHESTRATOR_URL,
    viewport: { width: 1440, height: 900 },
    screenshot: "only-on-failure",
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync",
      ],
    },
  },
});
