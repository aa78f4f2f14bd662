"""The work on the pictures of a task, in this process or in a worker elsewhere.

task           what a task holds, and what comes back
pictures       process: find the bytes, make the variants, put them
downloads      the folder for downloaded objects
variants       puts variants beside the originals
embedding      embed: a fresh variant, or one from the destination, to the embedder
variant_cache  fresh variants, kept in memory for the embed stage
cluster        the cluster that process and embed work on, with --engine
elsewhere      the same in a worker of a cluster: opened once, closed when idle
checks         the versions that driver and workers should have in common
"""
