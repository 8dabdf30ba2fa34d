export default async function setup() {
  if (!process.env.ORCHESTRATOR_URL) throw new Error("ORCHESTRATOR_URL names no service");
}
