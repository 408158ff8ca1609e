-- locks: while the indexes are built, whoever writes to runs or metadata waits; reading goes on
-- Finding runs by tag, by verified user and by how they ended, without reading them all.

CREATE INDEX runs_tags ON runs
    USING gin ((coalesce(tags, '[]'::jsonb) || coalesce(system_tags, '[]'::jsonb)));
CREATE INDEX runs_user ON runs
    (flow_id, (CASE WHEN system_tags ? ('user:' || user_name) THEN user_name END), ts_epoch DESC, run_number DESC);
CREATE INDEX metadata_outcome ON metadata (task_id, id DESC) WHERE field_name IN ('attempt_ok', 'attempt');
