"""Google Takeout: the JSON files beside the pictures of an export of Google Photos. Pure.

Google documents neither the names nor the fields; what is known comes from exports and from the
reports of the users of other programs (GooglePhotosTakeoutHelper, immich-go, ente).

notes.py     what one JSON file says
places.py    where a file is in its export, whatever part holds it
parts.py     which folders and archives are parts of one export
partners.py  which JSON file belongs to which picture
twins.py     which JSON file an equal picture elsewhere in the export shares
"""
