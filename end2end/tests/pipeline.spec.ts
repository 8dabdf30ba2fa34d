// The page as the binary serves it: under the policy, without one inline script.
import { get } from "node:http";
import { expect, test } from "../support/page";

test("the page starts under a strict content security policy", async ({ page }) => {
  const response = await page.goto("/");
  expect(response?.url()).toContain("/web/clusters");
  const policy = (await response?.allHeaders())?.["content-security-policy"] ?? "";
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toContain("unsafe-inline");
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await expect(page.locator("#boot")).toHaveCount(0);
  expect(await page.locator("script:not([src])").count()).toBe(0);
});

test("the program is small enough to be there at once", async ({ page, baseURL }) => {
  const bytes = await new Promise<number>((done, failed) => {
    const request = get(new URL("/frontend_bg.wasm", baseURL), { headers: { "accept-encoding": "gzip" } }, (response) => {
      expect(response.headers["content-encoding"]).toBe("gzip");
      expect(response.headers["content-type"]).toBe("application/wasm");
      let bytes = 0;
      response.on("data", (chunk: Buffer) => (bytes += chunk.length));
      response.on("end", () => done(bytes));
    });
    request.on("error", failed);
  });
  console.log(`the program is ${(bytes / 1000).toFixed(0)} kB, compressed`);
  expect(bytes).toBeLessThan(600_000);
  await page.goto("/");
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
  expect(paint).toBeLessThan(1000);
});

test("a file that has not changed is not sent again, and nothing is ever stale", async ({ request }) => {
  const first = await request.get("/tokens.css");
  const tag = first.headers()["etag"];
  expect(tag).toBeTruthy();
  expect(first.headers()["cache-control"]).toBe("no-cache");
  const again = await request.get("/tokens.css", { headers: { "if-none-match": tag } });
  expect(again.status()).toBe(304);
});
