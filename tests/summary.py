"""Add up what the sessions' tests reported (JUnit files below .nox/reports); fails where nothing ran."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

REPORTS = Path(__file__).parents[1] / ".nox" / "reports"


def main() -> int:
    """Print a line a session and the sum; the exit status is 1 where no test ran or one failed."""
    total = failed = skipped = 0
    for report in sorted(REPORTS.glob("*.xml")):
        for suite in ET.parse(report).getroot().iter("testsuite"):
            tests, bad, left_out = (sum(int(suite.get(key, 0)) for key in keys) for keys in KINDS)
            total, failed, skipped = total + tests - bad - left_out, failed + bad, skipped + left_out
            print(f"{report.stem:24} {tests - bad - left_out:5} passed {bad:3} failed {left_out:3} skipped")
    print(f"{total} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not total else 0


KINDS = (("tests",), ("failures", "errors"), ("skipped",))

if __name__ == "__main__":
    sys.exit(main())
