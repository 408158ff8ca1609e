-- oldest service: 3
-- locks: whoever reads or writes runs, or writes metadata, waits until it is done: about a minute for a million runs
-- Runs can be deleted; their tags change; they are found by tag, by verified user and by how they ended. All that is
-- looked up is kept by the database itself, so that no writer can forget it.

ALTER TABLE runs
    ADD COLUMN deleted boolean NOT NULL DEFAULT false,  -- its number and its name stay taken; nobody sees it
    ADD COLUMN ended text CHECK (ended IN ('completed', 'failed', 'retrying')),  -- by the metadata of its step end
    -- Heartbeats change it once an hour only: an index on the second would be written with every one of them.
    ADD COLUMN beat_hour bigint GENERATED ALWAYS AS (last_heartbeat_ts / 3600) STORED;

DROP INDEX runs_newest;
CREATE INDEX runs_newest ON runs (flow_id, ts_epoch DESC, run_number DESC) WHERE NOT deleted;
CREATE INDEX runs_user ON runs
    (flow_id, (CASE WHEN system_tags ? ('user:' || user_name) THEN user_name END), ts_epoch DESC, run_number DESC)
    WHERE NOT deleted;
CREATE INDEX runs_ended ON runs (flow_id, ended, ts_epoch DESC, run_number DESC) WHERE NOT deleted;
CREATE INDEX runs_alive ON runs (flow_id, beat_hour) WHERE ended IS NULL AND NOT deleted;

-- Which runs have a tag, newest last. A longer tag is found by its beginning (an index holds no more).
CREATE TABLE run_tags (
    flow_id text NOT NULL,
    tag text NOT NULL,
    ts_epoch bigint NOT NULL,
    run_number bigint NOT NULL,
    PRIMARY KEY (flow_id, tag, ts_epoch, run_number)
);

CREATE FUNCTION tags_of(tags jsonb, system_tags jsonb) RETURNS SETOF text LANGUAGE sql IMMUTABLE AS $$
    SELECT DISTINCT left(tag, 255)
    FROM jsonb_array_elements_text(coalesce(tags, '[]'::jsonb) || coalesce(system_tags, '[]'::jsonb)) AS tag
$$;

CREATE FUNCTION index_run_tags() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM run_tags g
        WHERE g.flow_id = NEW.flow_id AND g.ts_epoch = NEW.ts_epoch AND g.run_number = NEW.run_number AND g.tag IN (
            SELECT tags_of(OLD.tags, OLD.system_tags) EXCEPT SELECT tags_of(NEW.tags, NEW.system_tags)
        );
    END IF;
    INSERT INTO run_tags (flow_id, tag, ts_epoch, run_number)
    SELECT NEW.flow_id, tag, NEW.ts_epoch, NEW.run_number FROM tags_of(NEW.tags, NEW.system_tags) AS tag
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER index_run_tags AFTER INSERT OR UPDATE OF tags, system_tags ON runs
    FOR EACH ROW EXECUTE FUNCTION index_run_tags();

-- The newest `attempt_ok` of the step `end` decides; a failed one is undone by an attempt that begins after it.
CREATE FUNCTION note_outcome() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    outcome text := CASE
        WHEN NEW.field_name = 'attempt' THEN 'retrying'
        WHEN lower(NEW.value) IN ('true', '1') THEN 'completed'
        ELSE 'failed' END;
BEGIN
    IF EXISTS (SELECT 1 FROM tasks t WHERE t.task_id = NEW.task_id AND t.step_name = 'end') THEN
        UPDATE runs r SET ended = outcome
        WHERE r.run_number = NEW.run_number AND r.ended IS DISTINCT FROM outcome
          AND (outcome <> 'retrying' OR r.ended = 'failed');
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER note_outcome AFTER INSERT ON metadata
    FOR EACH ROW WHEN (NEW.field_name IN ('attempt_ok', 'attempt')) EXECUTE FUNCTION note_outcome();

INSERT INTO run_tags (flow_id, tag, ts_epoch, run_number)
SELECT r.flow_id, tag, r.ts_epoch, r.run_number FROM runs r CROSS JOIN LATERAL tags_of(r.tags, r.system_tags) AS tag;

WITH decided AS (
    SELECT DISTINCT ON (t.run_number) t.run_number, m.id, lower(m.value) IN ('true', '1') AS ok
    FROM tasks t JOIN metadata m USING (task_id) WHERE t.step_name = 'end' AND m.field_name = 'attempt_ok'
    ORDER BY t.run_number, m.id DESC
),
begun AS (
    SELECT t.run_number, max(m.id) AS id
    FROM tasks t JOIN metadata m USING (task_id) WHERE t.step_name = 'end' AND m.field_name = 'attempt'
    GROUP BY t.run_number
)
UPDATE runs r SET ended = CASE WHEN d.ok THEN 'completed' WHEN b.id > d.id THEN 'retrying' ELSE 'failed' END
FROM decided d LEFT JOIN begun b USING (run_number) WHERE r.run_number = d.run_number;
