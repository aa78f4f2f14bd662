"""The views that docs/manifest.md describes. They are stable: others may rely on them."""

from __future__ import annotations

from bulkup.manifest.database.pairs import PAIRS

VIEWS = (
    """
CREATE VIEW files AS
SELECT
  root.path AS root,
  -- || makes TEXT even of BLOBs: what is no UTF-8 must stay a BLOB, or few clients can read it
  CASE WHEN 'blob' IN (typeof(folder.path), typeof(asset.name))
    THEN CAST(folder.path || asset.name AS BLOB) ELSE folder.path || asset.name END AS path,
  asset.size_bytes,
  strftime('%Y-%m-%dT%H:%M:%SZ', asset.modified_ns / 1000000000, 'unixepoch') AS modified_at,
  nullif(lower(hex(content.digest)), '') AS digest,
  content.media_type,
  destination.url AS destination,
  coalesce(
    (SELECT key FROM object WHERE object.asset_id = asset.id
      AND object.content_id = content.id  -- not a copy of what the file held earlier
      AND object.destination_id = destination.id AND stored_at IS NOT NULL),
    (SELECT key FROM object WHERE object.content_id = content.id
      AND +object.destination_id = destination.id AND kind = 'original' AND stored_at IS NOT NULL)
  ) AS key,
  (SELECT state FROM item WHERE item.content_id = content.id
    AND item.destination_id = destination.id AND stage = 'upload') AS upload,
  (SELECT state FROM item WHERE item.content_id = content.id
    AND item.destination_id = destination.id AND stage = 'process') AS process,
  (SELECT state FROM item WHERE item.content_id = content.id
    AND item.destination_id = destination.id AND stage = 'embed') AS embed,
  strftime('%Y-%m-%dT%H:%M:%SZ', asset.missing_at, 'unixepoch') AS missing_since,
  asset.id AS asset_id,
  root.host
FROM asset
JOIN folder ON folder.id = asset.folder_id
JOIN root ON root.id = folder.root_id
JOIN content ON content.id = asset.content_id
LEFT JOIN destination ON destination.id = root.destination_id;

CREATE VIEW failures AS
SELECT
  root.path AS root,
  -- || makes TEXT even of BLOBs: what is no UTF-8 must stay a BLOB, or few clients can read it
  CASE WHEN 'blob' IN (typeof(folder.path), typeof(asset.name))
    THEN CAST(folder.path || asset.name AS BLOB) ELSE folder.path || asset.name END AS path,
  nullif(lower(hex(content.digest)), '') AS digest,
  item.stage,
  item.state,
  item.error_class,
  item.error,
  item.attempts,
  CASE WHEN item.state = 'waiting'
    THEN strftime('%Y-%m-%dT%H:%M:%SZ', item.due_at, 'unixepoch') END AS next_attempt_at,
  destination.url AS destination,
  item.id AS item,                 -- see attempt.item_id for its history
  item.state = 'dead' AND EXISTS (SELECT 1 FROM accepted_failure
    WHERE item_id = item.id AND accepted_failure.attempts = item.attempts) AS accepted
FROM item
JOIN content ON content.id = item.content_id
JOIN destination ON destination.id = item.destination_id
JOIN asset ON asset.content_id = item.content_id
JOIN folder ON folder.id = asset.folder_id
JOIN root ON root.id = folder.root_id
WHERE item.state IN ('waiting', 'dead') AND item.live;

CREATE VIEW progress AS
SELECT destination.url AS destination, tally.stage, tally.state, tally.items, tally.bytes
FROM tally JOIN destination ON destination.id = tally.destination_id
WHERE tally.items > 0;

CREATE VIEW batches AS
SELECT
  batch.id,
  run.id AS run,
  run.command,
  run.host,
  run.pid,
  destination.url AS destination,
  (SELECT CASE WHEN sum(typeof(root.path) = 'blob')
    THEN CAST(group_concat(root.path, char(10)) AS BLOB)
    ELSE group_concat(root.path, char(10)) END FROM batch_root
    JOIN root ON root.id = batch_root.root_id WHERE batch_root.batch_id = batch.id) AS roots,
  strftime('%Y-%m-%dT%H:%M:%SZ', batch_run.started_at, 'unixepoch') AS started_at,
  strftime('%Y-%m-%dT%H:%M:%SZ', batch_run.ended_at, 'unixepoch') AS ended_at,
  batch_run.exit_code,
  json_extract(batch_run.summary, '$.files') AS files,
  json_extract(batch_run.summary, '$.sent') AS sent,
  json_extract(batch_run.summary, '$.sent_bytes') AS sent_bytes,
  json_extract(batch_run.summary, '$.duplicates') AS duplicates,
  json_extract(batch_run.summary, '$.duplicate_bytes') AS duplicate_bytes,
  json_extract(batch_run.summary, '$.seconds') AS seconds,
  json_extract(batch_run.summary, '$.processed') AS processed,
  json_extract(batch_run.summary, '$.embedded') AS embedded,
  json_extract(batch_run.summary, '$.error') AS error  -- what ended the run early
FROM batch_run
JOIN batch ON batch.id = batch_run.batch_id
JOIN run ON run.id = batch_run.run_id
JOIN destination ON destination.id = batch.destination_id;

CREATE VIEW pictures AS
SELECT
  root.path AS root,
  -- as in the view files
  CASE WHEN 'blob' IN (typeof(folder.path), typeof(asset.name))
    THEN CAST(folder.path || asset.name AS BLOB) ELSE folder.path || asset.name END AS path,
  lower(hex(content.digest)) AS digest,
  asset.size_bytes,
  picture.width_px, picture.height_px, picture.format, picture.orientation,
  coalesce(sidecar.taken_at, picture.taken_at,
    strftime('%Y-%m-%dT%H:%M:%S+00:00', asset.modified_ns / 1000000000, 'unixepoch')) AS taken_at,
  picture.camera, picture.lens, picture.f_number, picture.exposure_seconds, picture.iso,
  picture.focal_length_mm,
  coalesce(sidecar.latitude, picture.latitude) AS latitude,
  coalesce(sidecar.longitude, picture.longitude) AS longitude,
  CASE WHEN sidecar.latitude IS NULL THEN picture.altitude_metres ELSE sidecar.altitude_metres END
    AS altitude_metres,
  picture.perceptual_hash, picture.is_truncated,
  coalesce(sidecar.rating, picture.rating) AS rating,
  coalesce(sidecar.title, picture.title) AS title,
  coalesce(sidecar.description, picture.description) AS description,
  coalesce(sidecar.keywords, picture.keywords) AS keywords,
  CASE WHEN sidecar.taken_at IS NOT NULL THEN sidecar.taken_from
    WHEN picture.taken_at IS NOT NULL THEN picture.taken_from ELSE 'mtime' END AS taken_from,
  root.host
FROM picture
JOIN content ON content.id = picture.content_id
JOIN asset ON asset.content_id = content.id
LEFT JOIN sidecar ON sidecar.asset_id = asset.id
JOIN folder ON folder.id = asset.folder_id
JOIN root ON root.id = folder.root_id;

CREATE VIEW takeout AS
SELECT
  takeout_note.export, takeout_note.folder, takeout_note.name AS json, takeout_note.title,
  strftime('%Y-%m-%dT%H:%M:%SZ', takeout_note.taken_at, 'unixepoch') AS taken_at,
  takeout_partner.asset_id
FROM takeout_note
LEFT JOIN takeout_partner ON takeout_partner.note_id = takeout_note.id
WHERE takeout_note.title IS NOT NULL AND NOT takeout_note.is_album
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, asset_id FROM takeout_partner WHERE note_id IS NULL;

CREATE VIEW albums AS
SELECT
  album.name AS album,
  album.source,
  root.path AS root,
  -- as in the view files
  CASE WHEN 'blob' IN (typeof(folder.path), typeof(asset.name))
    THEN CAST(folder.path || asset.name AS BLOB) ELSE folder.path || asset.name END AS path,
  nullif(lower(hex(content.digest)), '') AS digest,
  asset.id AS asset_id,
  root.host
FROM album_asset
JOIN album ON album.id = album_asset.album_id
JOIN asset ON asset.id = album_asset.asset_id
JOIN content ON content.id = asset.content_id
JOIN folder ON folder.id = asset.folder_id
JOIN root ON root.id = folder.root_id;

CREATE VIEW pairs AS
"""
    + PAIRS
    + ";"
)
