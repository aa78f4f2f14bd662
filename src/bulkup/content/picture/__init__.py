"""Pictures: decoded, oriented, converted to sRGB, described. The only package with Pillow.

spec           the variants that are wanted, and the limits; light to import
types          what comes out: variants and metadata; light to import
make_variants  the entry: bytes to variants and metadata
header         facts without decoding a pixel
decoding       pictures to pixels
psd, tiff, raw, video   what Pillow does not decode, or decodes wrongly
isobmff        boxes of HEIF, AVIF and videos
facts/         metadata blocks, merged
colour/        colour spaces to sRGB
encoding       pixels to variants
quality        how good a JPEG was
dhash          the perceptual hash
pixels, images    variants as an embedder wants them
"""
