"""Uploads by clients of `bulkup serve`.

rows           what they announce, what is reserved and what is stored, as values
reservations   what they are about to upload, and the keys that it is to have
files          what they have uploaded
proofs         which of it nobody has read yet
"""
