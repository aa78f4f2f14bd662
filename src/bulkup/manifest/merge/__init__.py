"""Another manifest joined to this one, by statements about whole tables.

merge      Merge: attaches the other manifest, and runs all steps in transactions of bounded size
places     destinations, contents, roots and their hosts, folders, assets
results    objects, items with their attempts, pictures, embeddings
history    albums, Takeout notes, runs and batches
other      checks of the other manifest by itself
report     what was added, and what differs
"""
