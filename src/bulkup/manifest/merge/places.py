"""SQL of a merge: destinations, contents, roots, folders and assets.

`other` is the attached manifest. Maps lead from its ids to those here. `:first` and `:last` bound
the ids of a transaction.
"""

from __future__ import annotations

MAPS = "".join(
    f"CREATE TEMP TABLE merge_{name} (other_id INTEGER PRIMARY KEY, id INTEGER NOT NULL);"
    for name in ("destination", "content", "folder", "asset", "item", "embedder", "album")
) + (
    "CREATE TEMP TABLE merge_root (other_id INTEGER PRIMARY KEY, id INTEGER NOT NULL, "
    "is_newer INTEGER NOT NULL);"
    "CREATE TEMP TABLE merge_batch (other_id INTEGER PRIMARY KEY, id INTEGER NOT NULL);"
    "CREATE TEMP TABLE merge_touched (id INTEGER PRIMARY KEY);"
)

DESTINATIONS = (
    "INSERT INTO destination (url, endpoint_url, region, addressing_style, conditional_writes, "
    "checksums) SELECT url, endpoint_url, region, addressing_style, conditional_writes, checksums "
    "FROM other.destination WHERE true ON CONFLICT DO NOTHING",
    "INSERT INTO merge_destination SELECT theirs.id, ours.id FROM other.destination AS theirs "
    "JOIN destination AS ours USING (url, endpoint_url)",
    "INSERT OR IGNORE INTO manifest_copy_due SELECT id FROM merge_destination",
)

CONTENTS = (
    "INSERT OR IGNORE INTO content (digest, size_bytes, media_type, assets) "
    "SELECT digest, size_bytes, media_type, 0 FROM other.content "
    "WHERE id BETWEEN :first AND :last AND digest IS NOT NULL ORDER BY id",
    "INSERT INTO merge_content SELECT theirs.id, ours.id FROM other.content AS theirs "
    "JOIN content AS ours ON ours.digest = theirs.digest "
    "WHERE theirs.id BETWEEN :first AND :last",
)

# Whether a known root is of the same machine, not of another one of its name. Runs are forgotten
# some day; and no two machines give a file of one path the same inode and change time.
_MACHINE = "substr({0}, 1, instr({0} || '/', '/') - 1)"
KNOWN_RUN = (
    "SELECT EXISTS (SELECT 1 FROM other.run AS theirs JOIN run AS ours USING (id) WHERE "
    f"{_MACHINE.format('theirs.host')} = (SELECT {_MACHINE.format('host')} FROM other.run "
    "ORDER BY started_at DESC LIMIT 1))"
)
KNOWN_FILE = (
    "SELECT EXISTS (SELECT 1 FROM other.folder AS their_folder "
    "JOIN other.asset AS theirs ON theirs.folder_id = their_folder.id "
    "JOIN folder ON folder.root_id = ?2 AND folder.path = their_folder.path "
    "JOIN asset AS ours ON ours.folder_id = folder.id AND ours.name = theirs.name "
    "WHERE their_folder.root_id = ?1 "
    "AND (ours.inode, ours.changed_ns) = (theirs.inode, theirs.changed_ns))"
)
NO_FILES = (
    "SELECT NOT EXISTS (SELECT 1 FROM folder JOIN asset ON folder_id = folder.id WHERE root_id = ?)"
)

FOLDERS = (
    "INSERT OR IGNORE INTO folder (root_id, path) SELECT merge_root.id, path "
    "FROM other.folder AS theirs JOIN merge_root ON merge_root.other_id = root_id "
    "WHERE theirs.id BETWEEN :first AND :last ORDER BY theirs.id",
    "INSERT INTO merge_folder SELECT theirs.id, ours.id FROM other.folder AS theirs "
    "JOIN merge_root ON merge_root.other_id = theirs.root_id "
    "JOIN folder AS ours ON ours.root_id = merge_root.id AND ours.path = theirs.path "
    "WHERE theirs.id BETWEEN :first AND :last",
)

_THEIRS = (
    "other.asset AS theirs JOIN merge_folder ON merge_folder.other_id = theirs.folder_id "
    "JOIN merge_content ON merge_content.other_id = theirs.content_id "
)
_BOTH = (
    _THEIRS + "JOIN asset AS ours ON ours.folder_id = merge_folder.id AND ours.name = theirs.name "
)
_SHOWN = (
    "JOIN folder ON folder.id = ours.folder_id JOIN root ON root.id = folder.root_id "
    "JOIN merge_root ON merge_root.id = root.id "
)
CONFLICTING_ASSETS = (
    f"SELECT root.path || '/' || folder.path || ours.name FROM {_BOTH} {_SHOWN}"
    "WHERE theirs.id BETWEEN :first AND :last AND ours.content_id <> merge_content.id "
    "AND NOT is_newer"
)
_TOUCHED = (
    "INSERT OR IGNORE INTO merge_touched SELECT {0} FROM "
    + _BOTH
    + "WHERE theirs.id BETWEEN :first AND :last"
)
ASSETS = (
    "DELETE FROM merge_touched",
    _TOUCHED.format("ours.content_id"),
    "INSERT INTO asset (folder_id, name, size_bytes, modified_ns, inode, changed_ns, content_id, "
    "missing_at) SELECT merge_folder.id, name, theirs.size_bytes, modified_ns, inode, changed_ns, "
    f"merge_content.id, missing_at FROM {_THEIRS}"
    "WHERE theirs.id BETWEEN :first AND :last ORDER BY theirs.id ON CONFLICT DO NOTHING",
    # What the other host saw later than its last merge here.
    "UPDATE asset SET size_bytes = v.size_bytes, modified_ns = v.modified_ns, inode = v.inode, "
    "changed_ns = v.changed_ns, content_id = v.content_id, missing_at = v.missing_at, "
    "is_unreadable = 0 FROM (SELECT ours.id, theirs.size_bytes, theirs.modified_ns, theirs.inode, "
    "theirs.changed_ns, merge_content.id AS content_id, theirs.missing_at "
    f"FROM {_BOTH} {_SHOWN} WHERE theirs.id BETWEEN :first AND :last AND is_newer) AS v "
    "WHERE asset.id = v.id AND (asset.content_id, asset.modified_ns, asset.changed_ns, "
    "asset.missing_at) IS NOT (v.content_id, v.modified_ns, v.changed_ns, v.missing_at)",
    f"INSERT INTO merge_asset SELECT theirs.id, ours.id FROM {_BOTH}"
    "WHERE theirs.id BETWEEN :first AND :last",
    _TOUCHED.format("ours.content_id"),
    "UPDATE content SET assets = (SELECT count(*) FROM asset WHERE content_id = content.id) "
    "WHERE id IN (SELECT id FROM merge_touched)",
    "UPDATE item SET live = 1 WHERE NOT live AND content_id IN (SELECT id FROM merge_touched) "
    "AND (SELECT assets FROM content WHERE content.id = content_id) > 0",
    "UPDATE item SET live = 0 WHERE live AND content_id IN (SELECT id FROM merge_touched) "
    "AND (SELECT assets FROM content WHERE content.id = content_id) = 0",
    "INSERT OR IGNORE INTO freed_asset SELECT merge_asset.id, freed_at FROM other.freed_asset "
    "JOIN merge_asset ON merge_asset.other_id = asset_id "
    "WHERE asset_id BETWEEN :first AND :last",
)

NOT_READ = (
    "SELECT count(*) FROM other.asset JOIN other.content ON content.id = content_id "
    "WHERE digest IS NULL AND missing_at IS NULL"
)
