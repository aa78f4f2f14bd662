"""Benchmarks: bulkup compared with other tools. Run by hand or with `make bench`."""
