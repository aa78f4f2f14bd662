"""Reports of runs and rows for other programs.

observers.py     a run's metrics file and webhook, as its settings name them
metrics_file.py  metrics for Prometheus' node exporter
webhook.py       messages about a run, POSTed to a URL
row_formats.py   JSON lines, CSV, Parquet, NPZ for export
atomic_file.py   files that appear complete or not at all
"""
