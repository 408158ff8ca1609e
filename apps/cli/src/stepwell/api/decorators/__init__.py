"""Step decorators: what a step asks of the scheduler and of the machine that runs it."""
