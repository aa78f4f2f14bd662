"""Stand-ins that fail on demand; everything else in the tests is real."""
