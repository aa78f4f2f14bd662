"""The bytes of files: where they come from, what they are, and what they show.

extensions   content types by file extension
media        content types by signature and extension
os_errors    the operating system's errors as source errors
archive      archives: members listed, opened
archive_names  members' names: safe, distinct
tar_archive  tar archives: members found and opened
tar_index    … listed once, and read as a stream by many threads
tar_headers  the members of a tar archive
gzip_cursor  a place in a compressed stream
takeout/     the JSON files of Google Takeout
zstd         files compressed with Zstandard
zip_stream   one ZIP member as a stream with limits
buffers      reused memory for file contents
reading      a file read once, unchanged
digest       SHA-256 of contents and of their parts
picture/     pictures: decoded, oriented, converted, described
"""
