"""Settings: flags > environment > bulkup.toml > defaults, as one frozen value."""
