"""Record and query executions of workflows: runs, steps, tasks, artifact pointers, metadata, tags."""
