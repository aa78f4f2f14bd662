"""The tests of bulkup."""
