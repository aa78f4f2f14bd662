"""What browsers show: pages that can be read without JavaScript, and modules that make them live.

templates.py  Jinja templates of templates/, with what they need of a request
words.py      numbers, sizes and times as pages write them
policy.py     what a page may load, and from where
static.py     the style and the modules of static/
sign_in.py    a one-time link or a token becomes a cookie
gallery.py    pictures by date, in an album, or as a search finds them
example.py    pictures like one that the browser sends
picture.py    one picture, and all that is known of it
duplicates.py groups of near-duplicates
activity.py   phases, runs, notifications
failures.py   what failed, and the buttons that try again
upload.py     where files are dropped
"""
