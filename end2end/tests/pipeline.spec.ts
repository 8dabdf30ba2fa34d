// The page as the binary serves it: under the policy, without one inline script.
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
