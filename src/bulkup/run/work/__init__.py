"""The work on the pictures of a task, in this process or in a worker elsewhere.

task           what a task holds, and what comes back
pictures       process: find the bytes, make the variants, put them
embedding      embed: read a variant, or take a fresh one, and embed it
variants       puts variants beside the originals
variant_cache  fresh variants, kept in memory for the embed stage
downloads      the folder for downloaded objects
elsewhere      the same in a worker of a cluster: opened once, closed when idle
checks         whether a worker can do the work: versions, model, destination
"""
