// Frame times of the page, in Chromium without a graphics card: node end2end/measure/frames.mjs TREE_URL DASHBOARD_URL SERVERS CLUSTERS
// Run by scripts/page-frames.sh, which starts the made-up fleets. Each gesture is made of one event a frame, as a hand would send.
import { chromium } from "@playwright/test";

const [treeUrl, dashboardUrl, servers, clusters] = process.argv.slice(2);
const FRAMES = 180;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
});
const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
page.on("pageerror", (error) => {
  console.error(String(error));
  process.exitCode = 1;
});
const session = await page.context().newCDPSession(page);
await session.send("Performance.enable", { timeDomain: "threadTicks" });

const heads = ["gesture", "frames", "median ms", "p95 ms", "max ms", "over 20 ms", "processor of the page ms/frame"];
console.log(`${heads.join(" | ")}`);

async function processor() {
  const { metrics } = await session.send("Performance.getMetrics");
  return metrics.find((metric) => metric.name === "TaskDuration").value * 1000;
}

// `gesture` runs in the page: makes the event of frame `n`.
async function measure(name, gesture, argument) {
  const before = await processor();
  const times = await page.evaluate(
    ({ source, argument, frames }) =>
      new Promise((done) => {
        const make = (0, eval)(`(${source})`)(argument);
        const times = [];
        let last;
        let n = 0;
        const tick = (now) => {
          if (last !== undefined) times.push(now - last);
          last = now;
          if (n === frames) {
            make.end?.();
            return done(times);
          }
          make.frame(n++);
          requestAnimationFrame(tick);
        };
        make.begin?.();
        requestAnimationFrame(tick);
      }),
    { source: gesture.toString(), argument, frames: FRAMES },
  );
  const spent = (await processor()) - before;
  const sorted = times.toSorted((a, b) => a - b);
  const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))].toFixed(1);
  const slow = times.filter((t) => t > 20).length;
  console.log([name, times.length, at(0.5), at(0.95), at(1), slow, (spent / times.length).toFixed(1)].join(" | "));
  await page.waitForTimeout(700);
}

// A pointer that goes down on empty ground and walks in a circle.
const pan = () => {
  const pane = document.querySelector(".tree-pane");
  const rect = pane.getBoundingClientRect();
  const send = (type, x, y) =>
    pane.dispatchEvent(new PointerEvent(type, { bubbles: true, pointerId: 7, pointerType: "mouse", clientX: x, clientY: y }));
  const point = (n) => [rect.x + rect.width / 2 + 260 * Math.sin(n / 14), rect.y + rect.height / 2 + 160 * Math.cos(n / 14)];
  return {
    begin: () => send("pointerdown", ...point(0)),
    frame: (n) => send("pointermove", ...point(n)),
    end: () => send("pointerup", ...point(0)),
  };
};

// The wheel turns in and out around the middle.
const zoom = (strength) => {
  const pane = document.querySelector(".tree-pane");
  const rect = pane.getBoundingClientRect();
  const at = { clientX: rect.x + rect.width / 2, clientY: rect.y + rect.height / 2 };
  return {
    frame: (n) =>
      pane.dispatchEvent(new WheelEvent("wheel", { ...at, bubbles: true, cancelable: true, deltaY: n % 60 < 30 ? -strength : strength })),
  };
};

// A replica is picked up and carried over the others.
const carry = () => {
  const boxes = [...document.querySelectorAll("[role=treeitem]")];
  const from = boxes[boxes.length - 1].getBoundingClientRect();
  const pane = document.querySelector(".tree-pane");
  const rect = pane.getBoundingClientRect();
  const send = (type, on, x, y) =>
    on.dispatchEvent(new PointerEvent(type, { bubbles: true, pointerId: 8, pointerType: "mouse", button: 0, clientX: x, clientY: y }));
  const point = (n) => [rect.x + rect.width / 2 + 300 * Math.sin(n / 20), rect.y + rect.height / 2 + 200 * Math.cos(n / 20)];
  return {
    begin: () => send("pointerdown", boxes[boxes.length - 1], from.x + 3, from.y + 3),
    frame: (n) => send("pointermove", pane, ...point(n)),
    end: () => {
      send("pointercancel", pane, 0, 0);
    },
  };
};

const idle = () => ({ frame: () => {} });

const scroll = () => ({ frame: (n) => window.scrollTo(0, (Math.sin(n / 30 - 1.57) + 1) * 1500) });

await page.goto(treeUrl);
const began = Date.now();
await page.waitForFunction((n) => document.querySelectorAll("[role=treeitem]").length === Number(n), servers, { timeout: 120_000 });
console.log(`# ${servers} servers in one tree, drawn ${Date.now() - began} ms after the address was there`);
await page.waitForTimeout(3000);
await measure("nothing is done", idle);
await measure("pan, all in sight", pan);
await measure("zoom, from all in sight", zoom, 40);
await measure("carry a server, all in sight", carry);
await page.getByRole("button", { name: "Fit all" }).click();
for (let i = 0; i < 14; i++) await page.getByRole("button", { name: "Larger" }).click();
await page.waitForTimeout(700);
await measure("pan, close by", pan);
await measure("zoom, close by", zoom, 12);
await measure("carry a server, close by", carry);
await page.getByRole("button", { name: "Fit all" }).click();
const folded = Date.now();
await page.getByRole("button", { name: "Collapse all sub-trees" }).click();
await page.waitForFunction((n) => document.querySelectorAll("[role=treeitem]").length < Number(n), servers);
console.log(`# sub-trees collapsed in ${Date.now() - folded} ms`);

await page.goto(dashboardUrl);
const opened = Date.now();
await page.waitForFunction((n) => document.querySelectorAll("li.cluster-row").length === Number(n), clusters, { timeout: 120_000 });
console.log(`# ${clusters} clusters on the dashboard, drawn ${Date.now() - opened} ms after the address was there`);
await page.waitForTimeout(2000);
await measure("dashboard: nothing is done", idle);
await measure("dashboard: scroll", scroll);
const typed = await page.evaluate(async () => {
  const field = document.querySelector("input.filter");
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const times = [];
  for (const text of ["1", "12", "127", "127.64.1", ""]) {
    const began = performance.now();
    field.value = text;
    field.dispatchEvent(new InputEvent("input", { bubbles: true }));
    await frame();
    times.push(performance.now() - began);
  }
  return Math.max(...times);
});
console.log(`# slowest letter typed into the filter, to the next frame: ${typed.toFixed(0)} ms`);
await browser.close();
