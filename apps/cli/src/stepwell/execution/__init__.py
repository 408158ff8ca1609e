"""One task, anywhere: what runs a step, and the records it leaves."""
