"""The client keeps the contract also on a service that behaves as the original one, from before it had pages and filters."""

import pytest
from http_servers import serving
from meta_client import ServiceStore, Unsupported
from meta_client.testing import MetadataStoreContract
from original import OriginalService


class TestOnTheOriginal(MetadataStoreContract):
    @pytest.fixture
    def opener(self):
        with serving(OriginalService()) as url:
            yield lambda: ServiceStore(url)

    def test_a_run_without_an_end_runs_while_it_sends_heartbeats(self, store, run):
        with pytest.raises(Unsupported, match="too old for finding runs by status"):
            list(store.list_runs(run.flow_id, status="running"))

    def test_there_must_be_a_run_to_delete(self, store, run):
        with pytest.raises(Unsupported, match="too old for deleting runs: upgrade it"):
            store.delete_run(run.flow_id, run.run_id)

    # what else such a service cannot tell or do
    test_the_last_word_of_step_end_tells_the_status = None
    test_other_steps_do_not_end_a_run = None
    test_status_tags_and_limit_go_together = None
    test_a_deleted_run_is_gone_with_all_that_is_below_it = None
    test_other_runs_stay = None
    test_the_number_of_a_deleted_run_is_not_given_again = None
    test_the_id_of_a_deleted_run_stays_taken = None
    # hundreds of requests that show nothing new here
    test_a_step_of_many_tasks_is_listed_whole = None


def test_the_service_tells_its_version():
    with serving(OriginalService()) as url, ServiceStore(url) as store:
        assert store.version() == "2.4.3"
