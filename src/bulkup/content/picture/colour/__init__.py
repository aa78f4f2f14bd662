"""Colours: what space the pixels are in, and how they become 8-bit sRGB.

declared       the colour space that a file names
profiles       ICC profiles made of primaries and a transfer function
greys          grey pixels of 16 and 32 bits and of floats as 8 bits
tone_mapping   high dynamic range (PQ, HLG) as sRGB
transparency   the one transparent colour of a PNG
srgb           pixels of every mode as sRGB
"""
