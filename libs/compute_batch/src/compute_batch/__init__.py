"""Run a command as an AWS Batch job, watch it, read its log, stop it."""
