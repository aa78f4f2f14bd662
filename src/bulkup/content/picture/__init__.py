"""Pictures: decode, orient, colour, variants, metadata. The only package that imports Pillow.

`values` needs no Pillow, so that a command can speak of variants without loading it;
`making.make_variants` does the work.
"""
