"""How fast, how big: bulkup beside the tools it replaces. Run by hand or with `make bench`."""
