"""`stepwell gc` with a grace of 20 s, so that it deletes while the runs beside it are still at work."""

from datetime import timedelta

import cas_store.sweeping
from stepwell.commands.main import main

cas_store.sweeping.SHORTEST_GRACE = timedelta(seconds=20)
main(["gc", "--grace", "20s"])
