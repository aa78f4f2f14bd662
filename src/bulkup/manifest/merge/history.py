"""SQL of a merge: albums, Takeout notes, runs and batches. See `places`."""

from __future__ import annotations

ALBUMS = (
    "INSERT OR IGNORE INTO album (name, source) SELECT name, source FROM other.album ORDER BY id",
    "INSERT INTO merge_album SELECT theirs.id, ours.id FROM other.album AS theirs "
    "JOIN album AS ours USING (name, source)",
    "INSERT OR IGNORE INTO album_asset SELECT merge_album.id, merge_asset.id "
    "FROM other.album_asset JOIN merge_album ON merge_album.other_id = album_id "
    "JOIN merge_asset ON merge_asset.other_id = asset_id",
)
NOTES = (
    "INSERT OR IGNORE INTO takeout_note (root_id, {columns}) SELECT merge_root.id, {columns} "
    "FROM other.takeout_note AS theirs JOIN merge_root ON merge_root.other_id = root_id "
    "ORDER BY theirs.id",
    "INSERT OR IGNORE INTO takeout_partner SELECT merge_asset.id, ours.id "
    "FROM other.takeout_partner JOIN merge_asset ON merge_asset.other_id = asset_id "
    "JOIN other.takeout_note AS theirs ON theirs.id = note_id "
    "JOIN merge_root ON merge_root.other_id = theirs.root_id "
    "JOIN takeout_note AS ours ON ours.root_id = merge_root.id AND ours.path = theirs.path",
)

# Ended, all of them: only their own host can continue them.
RUNS = (
    "INSERT OR IGNORE INTO run SELECT id, command, host, pid, process_started, started_at, "
    "heartbeat_at, coalesce(ended_at, heartbeat_at), exit_code, summary FROM other.run",
    "INSERT INTO batch (run_id, destination_id, options, started_at, ended_at) "
    "SELECT run_id, merge_destination.id, options, started_at, coalesce(ended_at, started_at) "
    "FROM other.batch AS theirs JOIN merge_destination "
    "ON merge_destination.other_id = theirs.destination_id WHERE NOT EXISTS (SELECT 1 "
    "FROM batch AS ours WHERE ours.started_at = theirs.started_at "
    "AND ours.destination_id = merge_destination.id AND ours.options = theirs.options) "
    "ORDER BY theirs.id",
    "INSERT OR IGNORE INTO merge_batch SELECT theirs.id, ours.id FROM other.batch AS theirs "
    "JOIN merge_destination ON merge_destination.other_id = theirs.destination_id "
    "JOIN batch AS ours ON ours.started_at = theirs.started_at "
    "AND ours.destination_id = merge_destination.id AND ours.options = theirs.options",
    "INSERT OR IGNORE INTO batch_run SELECT merge_batch.id, run_id, started_at, "
    "coalesce(ended_at, started_at), exit_code, summary FROM other.batch_run "
    "JOIN merge_batch ON merge_batch.other_id = batch_id",
    "INSERT OR IGNORE INTO batch_root SELECT merge_batch.id, merge_root.id, "
    "coalesce(other.batch_root.walked_at, 0) FROM other.batch_root "
    "JOIN merge_batch ON merge_batch.other_id = batch_id "
    "JOIN merge_root ON merge_root.other_id = root_id",
)
