"""Real services for tests: an S3 server and an AWS rig, on 127.0.0.1 only."""
