"""Contents processed in child processes that can be limited and lost.

task         what a worker does with one content
worker_pool  the parent's side: starts, limits and replaces workers
worker       the child's side: one request, one reply
"""
