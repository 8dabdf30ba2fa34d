// What every test of the page wants: a page that fails the test when the browser reports an error.
import { test as base, expect } from "@playwright/test";

export const test = base.extend<{ complaints: string[] }>({
  complaints: [
    async ({ page }, use) => {
      const complaints: string[] = [];
      page.on("console", (message) => {
        if (message.type() === "error") complaints.push(message.text());
      });
      page.on("pageerror", (error) => complaints.push(String(error)));
      await use(complaints);
      expect(complaints, "errors on the console (a refused script or style is one)").toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };
