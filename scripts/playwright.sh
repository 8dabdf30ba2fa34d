#!/usr/bin/env bash
# The browser tests against the service that ORCHESTRATOR_URL names: scripts/playwright.sh [PLAYWRIGHT ARGUMENT...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../end2end"
CHROMIUM="$(command -v chromium)"
export CHROMIUM
exec npx --no-install playwright test "$@"
