// Starts the page. Trunk's own loader is an inline script, which the content security policy refuses.
import init from "./frontend.js";

try {
  await init({ module_or_path: new URL("frontend_bg.wasm", import.meta.url) });
} catch (error) {
  const note = document.querySelector("#boot .boot-note");
  if (note) {
    note.setAttribute("role", "alert");
    note.textContent = `The page could not be started: ${error}. Reload it; a recent browser is needed.`;
  }
  throw error;
}
