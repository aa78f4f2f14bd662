"""The tables of albums, and of the JSON files of Google Takeout.

takeout_note     what one JSON file says, and its place in the export
takeout_partner  the JSON of a picture's file; NULL: others in its folder have one, it has none
takeout_join     how often files turned out to be equal to others, in all and at the last join
album            a set of pictures with a name, and where that is from
album_asset      the files in it
"""

from __future__ import annotations

KEYWORD_ALBUMS = "keywords"
"""The source of albums that are keywords in a hierarchy."""

TAKEOUT = """
CREATE TABLE takeout_note (
  id INTEGER PRIMARY KEY,
  root_id INTEGER NOT NULL REFERENCES root (id) ON DELETE CASCADE,
  path NOT NULL,                   -- of the JSON below the root; 'archive.zip#member'
  stamp TEXT NOT NULL,             -- size and mtime of the file or archive when it was read
  export NOT NULL,                 -- see content.takeout.places
  folder NOT NULL,
  name NOT NULL,
  is_album INTEGER NOT NULL,
  title TEXT,                      -- NULL: it is neither of a picture nor of an album
  taken_at REAL,                   -- seconds since 1970 UTC
  latitude REAL,
  longitude REAL,
  altitude_metres REAL,
  description TEXT,
  people TEXT,                     -- a JSON array
  is_favourite INTEGER NOT NULL DEFAULT 0,
  UNIQUE (root_id, path)
);
CREATE INDEX takeout_note_export ON takeout_note (export, folder);
CREATE TABLE takeout_partner (
  asset_id INTEGER PRIMARY KEY REFERENCES asset (id) ON DELETE CASCADE,
  note_id INTEGER REFERENCES takeout_note (id) ON DELETE CASCADE
);
CREATE INDEX takeout_partner_note ON takeout_partner (note_id);
CREATE TABLE album (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  source TEXT NOT NULL,            -- takeout, folder, keywords
  UNIQUE (name, source)
);
CREATE TABLE album_asset (
  album_id INTEGER NOT NULL REFERENCES album (id) ON DELETE CASCADE,
  asset_id INTEGER NOT NULL REFERENCES asset (id) ON DELETE CASCADE,
  PRIMARY KEY (album_id, asset_id)
) WITHOUT ROWID;
CREATE INDEX album_asset_asset ON album_asset (asset_id);
CREATE TRIGGER takeout_of_picture AFTER INSERT ON picture BEGIN
  INSERT OR IGNORE INTO sidecar_unread SELECT asset.id FROM asset
    WHERE asset.content_id = new.content_id AND (
      EXISTS (SELECT 1 FROM takeout_partner WHERE asset_id = asset.id AND note_id IS NOT NULL)
      OR new.taken_at IS NULL AND asset.name GLOB '*[12][09][0-9][0-9]*');
END;
"""

# In a trigger OR IGNORE is what the statement says that fires it: OR REPLACE would lose members.
_NEW_ALBUMS = f"""INSERT INTO album (name, source)
    SELECT DISTINCT value, '{KEYWORD_ALBUMS}' FROM json_each({{tags}}) WHERE NOT EXISTS
    (SELECT 1 FROM album WHERE name = value AND source = '{KEYWORD_ALBUMS}');"""
_OF_ASSET = f"""
  DELETE FROM album_asset WHERE asset_id = {{asset}}
    AND album_id IN (SELECT id FROM album WHERE source = '{KEYWORD_ALBUMS}');
  {_NEW_ALBUMS}
  INSERT OR IGNORE INTO album_asset SELECT album.id, {{asset}} FROM json_each({{tags}})
    JOIN album ON album.name = value AND album.source = '{KEYWORD_ALBUMS}';
  DELETE FROM album WHERE source = '{KEYWORD_ALBUMS}'
    AND NOT EXISTS (SELECT 1 FROM album_asset WHERE album_id = album.id);
"""
_OF_PICTURE = (
    "(SELECT tags FROM picture JOIN asset ON picture.content_id = asset.content_id "
    "WHERE asset.id = {asset})"
)

# The keywords of a picture hold for all its files, those of a sidecar for its file.
TAGS = f"""
ALTER TABLE picture ADD COLUMN tags TEXT;  -- a JSON array
ALTER TABLE sidecar ADD COLUMN tags TEXT;
CREATE TRIGGER tags_of_picture AFTER INSERT ON picture WHEN new.tags IS NOT NULL BEGIN
  {_NEW_ALBUMS.format(tags="new.tags")}
  INSERT OR IGNORE INTO album_asset SELECT album.id, asset.id FROM json_each(new.tags)
    JOIN album ON album.name = value AND album.source = '{KEYWORD_ALBUMS}'
    JOIN asset ON asset.content_id = new.content_id
    WHERE NOT EXISTS (SELECT 1 FROM sidecar WHERE asset_id = asset.id AND tags IS NOT NULL);
END;
CREATE TRIGGER tags_of_other_content AFTER UPDATE OF content_id ON asset
WHEN old.content_id <> new.content_id AND EXISTS (SELECT 1 FROM picture
  WHERE content_id IN (old.content_id, new.content_id) AND tags IS NOT NULL) BEGIN
  {
    _OF_ASSET.format(
        asset="new.id",
        tags="coalesce((SELECT tags FROM picture WHERE content_id = new.content_id), '[]')",
    )
}
END;
CREATE TRIGGER tags_of_sidecar AFTER INSERT ON sidecar WHEN new.tags IS NOT NULL BEGIN
  {_OF_ASSET.format(asset="new.asset_id", tags="new.tags")}
END;
CREATE TRIGGER tags_of_no_sidecar AFTER DELETE ON sidecar WHEN old.tags IS NOT NULL
AND EXISTS (SELECT 1 FROM asset WHERE id = old.asset_id) BEGIN
  {
    _OF_ASSET.format(
        asset="old.asset_id",
        tags=f"coalesce({_OF_PICTURE.format(asset='old.asset_id')}, '[]')",
    )
}
END;
"""

# Whether two files are equal is known when both were read, after the notes were joined with them.
TWINS = """
CREATE TABLE takeout_join (changes INTEGER NOT NULL, joined INTEGER NOT NULL);
INSERT INTO takeout_join SELECT count(*), 0 FROM takeout_partner;
CREATE TRIGGER takeout_of_other_content AFTER UPDATE OF content_id ON asset
WHEN old.content_id <> new.content_id AND EXISTS (SELECT 1 FROM takeout_note) BEGIN
  UPDATE takeout_join SET changes = changes + 1;
END;
"""

# Parts that were unpacked into folders of their names, or downloaded twice, are one export now:
# their JSON files are read again.
UNPACKED_PARTS = (
    "UPDATE takeout_note SET stamp = '' WHERE NOT (typeof(export) = 'text' "
    "AND export LIKE 'takeout-%');"
)

# Parts in a folder called Takeout, and those unpacked as `Takeout 2`, have other places now.
ALL_PARTS = "UPDATE takeout_note SET stamp = '';"
