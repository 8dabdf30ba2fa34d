// The service and its servers are started around the tests, by scripts/with-fleet.sh; nothing is tested against a stand-in.
export default function setup() {
  if (!process.env.ORCHESTRATOR_URL) {
    throw new Error("ORCHESTRATOR_URL names no service. Run: scripts/with-fleet.sh scripts/playwright.sh");
  }
}
