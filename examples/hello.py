"""The smallest flow: two steps, one artifact."""

from stepwell import FlowSpec, current, step


class HelloFlow(FlowSpec):
    """Says hello in one step, and repeats it in the next."""

    @step
    def start(self):
        """Make a greeting."""
        self.greeting = f"Hello from run {current.run_id}"
        self.next(self.end)

    @step
    def end(self):
        """Print the greeting that the first step made."""
        print(self.greeting)


if __name__ == "__main__":
    HelloFlow()
