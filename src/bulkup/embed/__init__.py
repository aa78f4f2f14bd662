"""Variants to vectors: one protocol for all embedders (`embedder`), a module for each."""
