"""The tables of `bulkup serve`.

token           who may use the server: a name, a role and the hash of a secret
timeline        pictures by the time when they were taken, for the gallery; the server fills it
timeline_month  how many they are in each month
notification    ends of runs, and alerts
reservation     a content that a client announced, and the key that its object is to have
"""

from __future__ import annotations

_TAKEN_AT = (
    # As the view pictures has it, to the second. A picture of several files has one place.
    "substr(coalesce((SELECT min(sidecar.taken_at) FROM asset JOIN sidecar "
    "ON sidecar.asset_id = asset.id WHERE asset.content_id = {content}), "
    "(SELECT taken_at FROM picture WHERE picture.content_id = {content}), "
    "(SELECT strftime('%Y-%m-%dT%H:%M:%S', min(modified_ns) / 1000000000, 'unixepoch') "
    "FROM asset WHERE asset.content_id = {content}), ''), 1, 19)"
)


def taken_at_of(content: str) -> str:
    """The expression for when the content with this id was taken: ISO 8601 by the camera's clock,
    else the time of its file; '' for one without a file."""
    return _TAKEN_AT.format(content=content)


_MOVE = "UPDATE timeline SET taken_at = {taken_at} WHERE content_id = {content};"
_OF_ASSET = "(SELECT content_id FROM asset WHERE id = {asset})"


def _moved(content: str) -> str:
    return _MOVE.format(taken_at=taken_at_of("timeline.content_id"), content=content)


SERVE = f"""
CREATE TABLE token (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  role TEXT NOT NULL CHECK (role IN ('viewer', 'uploader', 'operator')),
  secret_digest BLOB NOT NULL UNIQUE, -- SHA-256 of the token, which is kept nowhere
  is_browser INTEGER NOT NULL,     -- 1: it is a browser's cookie
  created_at REAL NOT NULL,
  expires_at REAL
);
CREATE TABLE timeline (
  content_id INTEGER PRIMARY KEY REFERENCES content (id) ON DELETE CASCADE,
  taken_at TEXT NOT NULL,          -- 2019-05-03T10:00:00 by the camera's clock; perhaps shorter
  shown_by INTEGER                 -- the content that stands for it, see the view pairs
);
CREATE INDEX timeline_order ON timeline (taken_at, content_id) WHERE shown_by IS NULL;
CREATE INDEX timeline_partner ON timeline (shown_by) WHERE shown_by IS NOT NULL;
CREATE TABLE timeline_month (
  month TEXT PRIMARY KEY,          -- 2019-05
  pictures INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TRIGGER timeline_counted AFTER INSERT ON timeline WHEN new.shown_by IS NULL BEGIN
  INSERT INTO timeline_month VALUES (substr(new.taken_at, 1, 7), 1)
    ON CONFLICT DO UPDATE SET pictures = pictures + 1;
END;
CREATE TRIGGER timeline_recounted AFTER UPDATE ON timeline
WHEN substr(old.taken_at, 1, 7) <> substr(new.taken_at, 1, 7) OR old.shown_by IS NOT new.shown_by
BEGIN
  UPDATE timeline_month SET pictures = pictures - (old.shown_by IS NULL)
    WHERE month = substr(old.taken_at, 1, 7);
  INSERT INTO timeline_month VALUES (substr(new.taken_at, 1, 7), new.shown_by IS NULL)
    ON CONFLICT DO UPDATE SET pictures = pictures + excluded.pictures;
END;
CREATE TRIGGER timeline_uncounted AFTER DELETE ON timeline WHEN old.shown_by IS NULL BEGIN
  UPDATE timeline_month SET pictures = pictures - 1 WHERE month = substr(old.taken_at, 1, 7);
END;
-- Of the tables that a process or a scan for sidecars writes, not of those that a push fills.
CREATE TRIGGER timeline_of_picture AFTER INSERT ON picture
WHEN EXISTS (SELECT 1 FROM timeline WHERE content_id = new.content_id) BEGIN
  {_moved("new.content_id")}
END;
CREATE TRIGGER timeline_of_sidecar AFTER INSERT ON sidecar BEGIN
  {_moved(_OF_ASSET.format(asset="new.asset_id"))}
END;
CREATE TRIGGER timeline_of_changed_sidecar AFTER UPDATE OF taken_at ON sidecar BEGIN
  {_moved(_OF_ASSET.format(asset="new.asset_id"))}
END;
CREATE TRIGGER timeline_without_sidecar AFTER DELETE ON sidecar BEGIN
  {_moved(_OF_ASSET.format(asset="old.asset_id"))}
END;
CREATE TABLE notification (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,              -- run_ended, alert
  run_id TEXT,                     -- perhaps of one that was forgotten
  at REAL NOT NULL,
  message TEXT,                    -- NULL: the run's row says it all
  read_at REAL
);
CREATE INDEX notification_unread ON notification (id) WHERE read_at IS NULL;
CREATE TRIGGER run_ended AFTER UPDATE OF ended_at ON run
WHEN old.ended_at IS NULL AND new.ended_at IS NOT NULL BEGIN
  INSERT INTO notification (kind, run_id, at) VALUES ('run_ended', new.id, new.ended_at);
  DELETE FROM notification WHERE id <= (SELECT max(id) FROM notification) - 1000;
END;
CREATE TABLE reservation (
  id TEXT PRIMARY KEY,
  destination_id INTEGER NOT NULL REFERENCES destination (id) ON DELETE CASCADE,
  content_id INTEGER NOT NULL REFERENCES content (id),
  owner TEXT NOT NULL,             -- the name of the token
  key TEXT NOT NULL,
  folder TEXT NOT NULL,            -- of the file, below the owner's root: '' or 'sub/'
  name TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  media_type TEXT NOT NULL,
  modified_ns INTEGER NOT NULL,
  part_bytes INTEGER,              -- NULL: it is sent whole
  store_upload_id TEXT,            -- of the multipart upload, once it has begun
  is_done INTEGER NOT NULL DEFAULT 0, -- 1: the object is there; kept for a client that asks again
                                      -- 2: it is there, and `process` is to prove its digest
  created_at REAL NOT NULL,
  expires_at REAL NOT NULL
);
CREATE INDEX reservation_content ON reservation (content_id);
CREATE INDEX reservation_path ON reservation (owner, folder, name);
CREATE INDEX reservation_expiry ON reservation (expires_at);
"""
