"""The tables of albums, and of the JSON files of Google Takeout.

takeout_note     what one JSON file says, and its place in the export
takeout_partner  the JSON of a picture's file; NULL: others in its folder have one, it has none
album            a set of pictures with a name, and where that is from
album_asset      the files in it
"""

from __future__ import annotations

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
  source TEXT NOT NULL,            -- takeout, folder
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
