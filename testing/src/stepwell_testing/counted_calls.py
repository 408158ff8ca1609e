"""The calls to AWS that a flow's command makes, by their names."""

from __future__ import annotations

_COUNTING = """
import atexit, runpy, sys
import botocore.client
calls, call = [], botocore.client.BaseClient._make_api_call
def counted(self, name, arguments):
    calls.append(name)
    return call(self, name, arguments)
botocore.client.BaseClient._make_api_call = counted
atexit.register(lambda: print("CALLS", *calls))
sys.argv = {arguments}
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def counting(*arguments: str) -> str:
    """A program for `python -c` that is a flow file's command, and ends with a line of the calls: `CALLS name name`."""
    return _COUNTING.format(arguments=list(arguments))
