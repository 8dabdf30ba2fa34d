// Sets the chosen theme before the first paint, so that a dark page does not flash white.
try {
  const theme = localStorage.getItem("orchestrator.theme");
  if (theme === "light" || theme === "dark" || theme === "contrast") {
    document.documentElement.dataset.theme = theme;
  }
} catch {
  // Storage may be switched off; the system's theme is used then.
}
