"""What a picture says about itself, read from its metadata blocks and merged.

moments    dates and times in every spelling
places     coordinates in every spelling
exif       EXIF directories, with the tags of Windows
apple      Apple's maker note: Live Photos, bursts
motion     the video in a motion photo
iptc       IPTC IIM records
xmp        XMP packets, in pictures and in sidecars
segments   the segments of a JPEG
riff       the chunks of WebP and AVI
asf        the date of ASF and WMV files
embedded   the blocks of one decoded picture
takeout    what Google Takeout adds to a picture
zones      offsets from UTC by place
names      dates in the names of files
merge      one answer for each fact
"""
