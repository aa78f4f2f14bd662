"""The engine of a Dask cluster. No other package imports dask or distributed.

cluster    the connection to a scheduler, or a cluster of this machine
engine     DaskEngine: hands tasks to workers, itself, and notices which are lost
checks     of workers, before they get any work
places     the workers: who may have another task
lateness   when a task is handed out a second time
remote     what runs in a worker
"""
