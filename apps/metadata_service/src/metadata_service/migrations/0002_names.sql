-- locks: whoever reads or writes runs or tasks waits, for a moment, and while the two indexes are built
-- Runs and tasks may have names that clients give them, and heartbeats.

ALTER TABLE runs
    ADD COLUMN run_id text,               -- the client's own name for the run, if it gave one
    ADD COLUMN last_heartbeat_ts bigint,  -- seconds
    ADD UNIQUE (flow_id, run_id);
ALTER TABLE tasks
    ADD COLUMN task_name text,            -- the client's own name for the task, if it gave one
    ADD COLUMN last_heartbeat_ts bigint,
    ADD UNIQUE (run_number, step_name, task_name);

-- Room is left on the pages of what heartbeats update, so that an update stays on its page and touches no index.
ALTER TABLE runs SET (fillfactor = 80);
ALTER TABLE tasks SET (fillfactor = 80);
