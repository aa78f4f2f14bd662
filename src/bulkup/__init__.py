"""bulkup takes directories of pictures to object storage, and its manifest knows what happened."""

__version__ = "0.1.0"
