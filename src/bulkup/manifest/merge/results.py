"""SQL of a merge: objects, items with their attempts, pictures and embeddings. See `places`."""

from __future__ import annotations

_OBJECTS = (
    "other.object AS theirs JOIN merge_content ON merge_content.other_id = theirs.content_id "
    "JOIN merge_destination ON merge_destination.other_id = theirs.destination_id "
)
CONFLICTING_OBJECTS = (
    f"SELECT ours.key FROM {_OBJECTS}JOIN object AS ours "
    "ON ours.destination_id = merge_destination.id AND ours.key = theirs.key "
    "WHERE theirs.content_id BETWEEN :first AND :last AND theirs.stored_at IS NOT NULL "
    "AND ours.content_id <> merge_content.id"
)
OBJECTS = (
    "INSERT INTO object (destination_id, key, content_id, kind, asset_id, size_bytes, etag, "
    "checksum, stored_at, variant_digest) SELECT merge_destination.id, key, merge_content.id, "
    "kind, merge_asset.id, size_bytes, etag, checksum, stored_at, variant_digest "
    f"FROM {_OBJECTS} LEFT JOIN merge_asset ON merge_asset.other_id = theirs.asset_id "
    "WHERE theirs.content_id BETWEEN :first AND :last AND stored_at IS NOT NULL "
    "ON CONFLICT DO UPDATE SET size_bytes = excluded.size_bytes, etag = excluded.etag, "
    "checksum = excluded.checksum, stored_at = excluded.stored_at "
    # Reserved here, and stored there; a variant without `stored_at` was found to be bad.
    "WHERE object.stored_at IS NULL AND object.variant_digest IS NULL "
    "AND object.content_id = excluded.content_id",
)

_ITEMS = (
    "other.item AS theirs JOIN merge_content ON merge_content.other_id = theirs.content_id "
    "JOIN merge_destination ON merge_destination.other_id = theirs.destination_id "
)
ITEMS = (
    # What is not uploaded yet only its own host can upload.
    "INSERT INTO item (content_id, destination_id, stage, state, live, size_bytes, priority, "
    "due_at, attempts, attempts_granted, strikes, error_class, error, reason, settled_at) "
    "SELECT merge_content.id, merge_destination.id, stage, "
    "CASE state WHEN 'claimed' THEN 'ready' ELSE state END, assets > 0, theirs.size_bytes, "
    "priority, due_at, attempts, attempts_granted, strikes, error_class, error, reason, settled_at "
    f"FROM {_ITEMS} JOIN content ON content.id = merge_content.id "
    "WHERE theirs.id BETWEEN :first AND :last AND (stage <> 'upload' OR state IN "
    "('done', 'skipped')) ORDER BY theirs.id ON CONFLICT DO UPDATE SET state = excluded.state, "
    "run_id = NULL, in_hand = 0, attempts = max(attempts, excluded.attempts), error_class = NULL, "
    "error = NULL, reason = excluded.reason, settled_at = excluded.settled_at "
    "WHERE item.state IN ('ready', 'waiting', 'dead') AND excluded.state IN ('done', 'skipped')",
    "INSERT INTO merge_item SELECT theirs.id, ours.id "
    f"FROM {_ITEMS} JOIN item AS ours ON ours.content_id = merge_content.id "
    "AND ours.destination_id = merge_destination.id AND ours.stage = theirs.stage "
    "WHERE theirs.id BETWEEN :first AND :last",
    "INSERT OR IGNORE INTO accepted_failure SELECT merge_item.id, theirs.attempts, accepted_at "
    "FROM other.accepted_failure AS theirs JOIN merge_item ON merge_item.other_id = item_id "
    "JOIN item ON item.id = merge_item.id WHERE item_id BETWEEN :first AND :last "
    "AND item.state IN ('waiting', 'dead') AND item.attempts = theirs.attempts",
)
ATTEMPTS = (
    "INSERT INTO attempt (item_id, number, run_id, ended_at, seconds, outcome, error_class, error, "
    "request_id) SELECT merge_item.id, number, run_id, ended_at, seconds, outcome, error_class, "
    "error, request_id FROM other.attempt AS theirs "
    "JOIN merge_item ON merge_item.other_id = item_id WHERE theirs.id BETWEEN :first AND :last "
    "AND NOT EXISTS (SELECT 1 FROM attempt AS ours WHERE ours.item_id = merge_item.id "
    "AND ours.run_id = theirs.run_id AND ours.number = theirs.number "
    "AND ours.ended_at = theirs.ended_at) ORDER BY theirs.id",
)

PICTURES = (
    "INSERT OR IGNORE INTO picture (content_id, {columns}) SELECT merge_content.id, {columns} "
    "FROM other.picture JOIN merge_content ON merge_content.other_id = content_id "
    "WHERE content_id BETWEEN :first AND :last",
)
CONFLICTING_PICTURES = (
    "SELECT lower(hex(digest)) FROM other.picture AS theirs "
    "JOIN merge_content ON merge_content.other_id = theirs.content_id "
    "JOIN picture AS ours ON ours.content_id = merge_content.id "
    "JOIN content ON content.id = ours.content_id "
    "WHERE theirs.content_id BETWEEN :first AND :last AND ({ours}) IS NOT ({theirs})"
)
SIDECARS = (
    "INSERT OR IGNORE INTO sidecar (asset_id, {columns}) SELECT merge_asset.id, {columns} "
    "FROM other.sidecar JOIN merge_asset ON merge_asset.other_id = asset_id "
    "WHERE asset_id BETWEEN :first AND :last",
    "DELETE FROM sidecar_unread WHERE asset_id IN (SELECT merge_asset.id FROM merge_asset "
    "WHERE other_id BETWEEN :first AND :last AND NOT EXISTS "
    "(SELECT 1 FROM other.sidecar_unread WHERE asset_id = other_id))",
)

EMBEDDERS = (
    "INSERT OR IGNORE INTO embedder (name, version, dimension) "
    "SELECT name, version, dimension FROM other.embedder ORDER BY id",
    "INSERT INTO merge_embedder SELECT theirs.id, ours.id FROM other.embedder AS theirs "
    "JOIN embedder AS ours USING (name, version, dimension)",
)
_EMBEDDINGS = (
    "other.embedding AS theirs JOIN merge_content ON merge_content.other_id = theirs.content_id "
    "JOIN merge_embedder ON merge_embedder.other_id = theirs.embedder_id "
)
CONFLICTING_EMBEDDINGS = (
    f"SELECT lower(hex(digest)) FROM {_EMBEDDINGS}JOIN embedding AS ours "
    "ON ours.embedder_id = merge_embedder.id AND ours.content_id = merge_content.id "
    "JOIN content ON content.id = ours.content_id "
    "WHERE theirs.id BETWEEN :first AND :last AND ours.vector <> theirs.vector"
)
EMBEDDINGS = (
    "INSERT OR IGNORE INTO embedding (embedder_id, content_id, vector, classes, embedded_at) "
    "SELECT merge_embedder.id, merge_content.id, vector, classes, embedded_at "
    f"FROM {_EMBEDDINGS}WHERE theirs.id BETWEEN :first AND :last ORDER BY theirs.id",
)
