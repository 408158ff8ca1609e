"""Every decorator, on steps that need it: what fails is tried again, caught, or timed out, alike wherever it runs."""

import os
import time

from stepwell import FlowSpec, catch, current, environment, resources, retry, step, timeout, user_step_decorator


@user_step_decorator
def noted(step_name, flow, inputs, attributes):
    yield
    flow.noted = step_name


class Careful(FlowSpec):
    """Three tasks: one that succeeds, one that fails at first, one that fails for good."""

    @step
    def start(self):
        self.kinds = ["good", "late", "bad"]
        self.next(self.work, foreach="kinds")

    @retry(times=1, minutes_between_retries=0)
    @catch(var="failure", print_exception=False)
    @resources(cpu=1, memory=500)
    @environment(vars={"LEVEL": "3"})
    @step
    def work(self):
        self.kind = self.input
        self.level = os.environ["LEVEL"]
        self.attempt = current.retry_count
        if self.kind == "bad" or (self.kind == "late" and current.retry_count == 0):
            raise ValueError(self.kind)
        self.next(self.join)

    @noted
    @step
    def join(self, inputs):
        self.attempts = {one.kind: one.attempt for one in inputs if not one.failure}
        self.failures = [one.failure.exception for one in inputs if one.failure]
        self.next(self.slow)

    @catch(var="late", print_exception=False)
    @timeout(seconds=1)
    @step
    def slow(self):
        time.sleep(30)
        self.next(self.end)

    @step
    def end(self):
        self.result = (self.attempts, self.failures, self.noted, self.late is not None)


if __name__ == "__main__":
    Careful()
