"""Where the tasks of process and embed are worked on. Engines know nothing about pictures.

engine   the protocol: slots, a task, its result, or that it was lost
local    this process
dask     the workers of a Dask cluster
"""
