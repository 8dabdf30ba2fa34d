// Somebody else's web site. Its pages know where the service is, and have the browser of whoever visits them ask it for changes in
// every way that a page has.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Page } from "@playwright/test";

/// Serves an empty page on a port of its own, under both names of this machine: `localhost` is another site than 127.0.0.1, and
/// another port of 127.0.0.1 is another origin of the same site, to which cookies go along.
export async function otherSite() {
  const server = createServer((_, response) => {
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
    response.end("<!doctype html><title>Somebody else</title><h1>Nice pictures</h1>");
  });
  await new Promise<void>((ready) => server.listen(0, ready));
  const { port } = server.address() as AddressInfo;
  return {
    pages: { "another site": `http://localhost:${port}/`, "another origin of the same site": `http://127.0.0.1:${port}/` },
    close: () => new Promise((closed) => server.close(closed)),
  };
}

/// Has the page on the screen ask a service for each of these: changes by GET, and changes by other verbs with their bodies. Gives the
/// answers that the page could read.
export async function attack(page: Page, gets: string[], others: { method: string; url: string; body: unknown }[]) {
  return page.evaluate(
    async ({ gets, others }) => {
      const readable: string[] = [];
      const ended = (start: (done: () => void) => void) =>
        new Promise<void>((done) => {
          setTimeout(done, 10_000);
          start(() => done());
        });
      const element = (name: string, attributes: Record<string, string>) =>
        ended((done) => {
          const made = document.createElement(name);
          made.onload = made.onerror = () => done();
          for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
          document.body.append(made);
        });
      const submit = (method: string, url: string, text: string) =>
        ended((done) => {
          const frame = document.createElement("iframe");
          frame.name = `f${Math.random()}`;
          document.body.append(frame);
          const form = document.createElement("form");
          Object.assign(form, { method, action: url, target: frame.name, enctype: "text/plain" });
          const field = document.createElement("input");
          // What a form sends as text is JSON with a field that nobody asks for: {"enabled":false,"x":"="}.
          Object.assign(field, { type: "hidden", name: `${text.slice(0, -1)},"x":"`, value: '"}' });
          if (method === "post") form.append(field);
          document.body.append(form);
          frame.onload = () => done();
          form.submit();
        });
      const ask = async (url: string, options: RequestInit) => {
        const answer = await fetch(url, { credentials: "include", ...options }).catch(() => undefined);
        if (answer && answer.type !== "opaque") readable.push(`${options.method} ${url}: ${answer.status}`);
      };
      for (const url of gets) {
        await element("img", { src: url });
        await element("script", { src: url });
        await element("iframe", { src: url });
        await element("iframe", { src: url, sandbox: "", referrerpolicy: "no-referrer" });
        await element("link", { rel: "stylesheet", href: url });
        await submit("get", url, "{}");
        await ask(url, { method: "GET", mode: "no-cors", referrerPolicy: "no-referrer" });
        await ask(url, { method: "GET", mode: "cors" });
        await ask(url, { method: "HEAD", mode: "no-cors" });
      }
      for (const { method, url, body } of others) {
        const text = JSON.stringify(body);
        await submit("post", url, text);
        navigator.sendBeacon(url, new Blob([text], { type: "text/plain" }));
        await ask(url, { method: "POST", mode: "no-cors", body: text, headers: { "content-type": "text/plain" } });
        await ask(url, { method, mode: "cors", body: text, headers: { "content-type": "application/json" } });
        await ask(url, { method, mode: "cors", body: text, headers: { "content-type": "application/json", "x-csrf-token": "guessed" } });
      }
      return readable;
    },
    { gets, others },
  );
}

/// Has the visitor follow a link to an address, as a person does; gives what they see there.
export async function lure(page: Page, url: string) {
  const arrived = page.waitForURL(url);
  await page.evaluate((url) => {
    const link = document.createElement("a");
    link.href = url;
    document.body.append(link);
    link.click();
  }, url);
  await arrived;
  return page.locator("body").innerText();
}
