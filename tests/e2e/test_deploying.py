"""What `create` makes in the account and the datastore, what it leaves alone, what `delete` leaves: nothing. No job runs here."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import pytest
from conftest import Place
from forking import Forking
from operating import Production
from stepwell_testing.aws_rig import Rig
from stepwell_testing.counted_calls import counting

pytestmark = pytest.mark.parametrize("rig", ["process"], indirect=True)

SCHEDULED = """
from stepwell import FlowSpec, Parameter, project, schedule, step, trigger, trigger_on_finish


@project(name="apples")
@schedule(cron="0 10 ? * MON-FRI *", timezone="Europe/Paris")
@trigger(event={"name": "new-data", "parameters": {"table": "name"}})
@trigger_on_finish(flow="Upstream")
class Scheduled(FlowSpec):
    table = Parameter("table", default="none")

    @step
    def start(self):
        self.items = [1, 2]
        self.next(self.work, foreach="items")

    @step
    def work(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        print(self.table)


if __name__ == "__main__":
    Scheduled()
"""


@pytest.fixture
def scheduled(cluster: Place, rig: Rig, forking: Forking) -> Production:
    (cluster.path / "scheduled.py").write_text(SCHEDULED)
    settings = {**cluster.settings, "STEPWELL_EVENTS_ROLE": rig.role}
    return Production(Place(cluster.path, settings), rig, forking, "scheduled.py")


def roots(rig: Rig) -> list[str]:
    """The records of deployed versions in the datastore."""
    found = rig.client("s3").list_objects_v2(Bucket=rig.bucket, Prefix="stepwell/roots/")
    return sorted(entry["Key"].removeprefix("stepwell/") for entry in found.get("Contents", []))


def account(rig: Rig) -> dict[str, list[str]]:
    """What there is of machines, rules and schedules, by name."""
    return {
        "machines": sorted(one["name"] for one in rig.client("stepfunctions").list_state_machines()["stateMachines"]),
        "rules": sorted(one["Name"] for one in rig.client("events").list_rules()["Rules"]),
        "schedules": sorted(one["Name"] for one in rig.client("scheduler").list_schedules()["Schedules"]),
    }


def test_branches_side_by_side_and_deletion_leaves_nothing(scheduled: Production, rig: Rig) -> None:
    before, kept = account(rig), roots(rig)
    said = scheduled.succeed("create")
    assert "starts by itself at 10:00 on Monday to Friday, Europe/Paris" in said
    production = attrs.evolve(scheduled, options=("--production",))
    production.succeed("create")
    names = [f"apples.{branch}.Scheduled" for branch in ("prod", "user.tester")]
    found = account(rig)
    assert set(found["machines"]) - set(before["machines"]) == {*names, *(f"{name}-ended" for name in names)}
    assert set(found["schedules"]) - set(before["schedules"]) == set(names)
    assert {name.rpartition(".")[2] for name in set(found["rules"]) - set(before["rules"])} == {
        "event",
        "finish",
        "failed",
    }
    patterns = [json.loads(rig.client("events").describe_rule(Name=name)["EventPattern"]) for name in found["rules"]]
    upstream = [
        one["detail"]["stateMachineArn"][0] for one in patterns if one.get("detail", {}).get("status") == ["SUCCEEDED"]
    ]
    assert sorted(arn.rpartition(":")[2] for arn in upstream) == ["apples.prod.Upstream", "apples.user.tester.Upstream"]
    assert {"detail-type": ["new-data"]} in patterns
    assert len(roots(rig)) == len(kept) + 2
    scheduled.succeed("delete")
    assert account(rig)["machines"] != before["machines"]
    production.succeed("delete")
    assert (account(rig), roots(rig)) == (before, kept)


def test_without_the_role_of_events_a_flow_that_starts_by_itself_leaves_nothing(
    scheduled: Production, rig: Rig
) -> None:
    settings = {name: value for name, value in scheduled.place.settings.items() if name != "STEPWELL_EVENTS_ROLE"}
    before, kept = account(rig), roots(rig)
    refused = attrs.evolve(scheduled, place=Place(scheduled.place.path, settings)).command("create")
    assert refused.returncode
    assert "needs the setting STEPWELL_EVENTS_ROLE" in refused.stderr
    assert (account(rig), roots(rig)) == (before, kept)


def test_rules_that_could_not_be_made_are_made_by_the_next_create(scheduled: Production, rig: Rig) -> None:
    settings = {**scheduled.place.settings, "STEPWELL_EVENT_BUS": "missing"}
    without_bus = attrs.evolve(scheduled, place=Place(scheduled.place.path, settings))
    for _ in range(2):
        refused = without_bus.command("create")
        assert refused.returncode, refused.stdout
        assert "Could not" in refused.stderr
    scheduled.succeed("create")
    assert {name.rpartition(".")[2] for name in account(rig)["rules"]} >= {"event", "finish", "failed"}
    assert "Nothing changed" in scheduled.succeed("create")
    scheduled.succeed("delete")


def test_an_unchanged_flow_is_deployed_by_reading_only(cluster: Place, rig: Rig, forking: Forking) -> None:
    production = Production(cluster, rig, forking, "hello.py")
    production.succeed("create")
    said = cluster.succeed("-c", counting("hello.py", "step-functions", "create"))
    assert "Nothing changed" in said
    calls = said.split("CALLS")[1].split()
    assert len(calls) <= 5, calls
    assert not any(name.startswith(("Put", "Create", "Update", "Register", "Upload", "Tag")) for name in calls), calls
    production.succeed("delete")


def test_a_change_is_shown_explained_and_kept_beside_the_old_version(scheduled: Production, rig: Rig) -> None:
    scheduled.succeed("create")
    assert scheduled.command("diff").returncode == 0
    before = roots(rig)
    changed = scheduled.command("diff", "--max-workers", "1")
    assert changed.returncode == 1
    assert '+      "MaxConcurrency": 1' in changed.stdout
    said = scheduled.succeed("create", "--explain", "--max-workers", "1")
    assert "start: distributed, 1 at once, as only 1 of its tasks may run at once" in said
    assert "state transitions" in said
    (scheduled.place.path / "scheduled.py").write_text(SCHEDULED.replace("0 10", "0 11"))
    assert "starts by itself at 11:00" in scheduled.succeed("create")
    assert set(before) < set(roots(rig))
    machine = json.loads(scheduled.succeed("create", "--only-json"))
    endpoint = {"Name": "STEPWELL_S3_ENDPOINT_URL", "Value": scheduled.place.settings["STEPWELL_S3_ENDPOINT_URL"]}
    text, of_tests = (json.dumps(one, separators=(",", ":")) for one in (machine, endpoint))
    assert len(text.replace(f"{of_tests},", "")) <= 2048 * 4
    scheduled.succeed("delete")


def test_another_user_needs_the_token(scheduled: Production, tmp_path: Path) -> None:
    production = attrs.evolve(scheduled, options=("--branch", "b"))
    token = production.succeed("create").split("production:")[1].split()[0]
    other_place = Place(tmp_path, {**scheduled.place.settings, "STEPWELL_USER": "other"})
    other = attrs.evolve(production, place=other_place, file=str(scheduled.place.path / "scheduled.py"))
    for command in ("create", "delete"):
        refused = other.command(command)
        assert refused.returncode == 1
        assert "--authorize" in refused.stderr
    assert other.command("create", "--authorize", "guess").returncode == 1
    other.succeed("create", "--authorize", token)
    assert "deployed by      other" in other.succeed("describe")
    renewed = other.succeed("create", "--generate-new-token").split("production:")[1].split()[0]
    assert renewed != token
    assert production.command("create").returncode == 1
    other.succeed("delete")


def test_a_collection_between_deployment_and_trigger_takes_nothing(scheduled: Production, rig: Rig) -> None:
    scheduled.succeed("create")
    place = scheduled.place
    place.succeed("-m", "stepwell", "gc", "--grace", "0s")
    found = place.client(
        "from stepwell.config import load_settings; from stepwell.execution.stores import open_stores; "
        "from cas_store import Digest; import json; stores = open_stores(load_settings()); "
        f"root = json.loads(stores.records.read({roots(rig)[-1]!r})); "
        "print(len(stores.content.get(Digest.parse(root['package']))) > 1000)"
    )
    assert found == "True"
    scheduled.succeed("delete")
