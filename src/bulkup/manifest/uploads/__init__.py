"""Uploads by clients of `bulkup serve`.

reservations   what they are about to upload, and the keys that it is to have
files          what they have uploaded
proofs         which of it nobody has read yet
"""
