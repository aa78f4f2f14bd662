"""Vectors, words and descriptions of pictures to hits. Knows neither SQL nor the screen.

matrix_file       vectors of all pictures in a file, checked when it is read
matrix            the matrix: that file, and newer rows of the manifest
vocabulary        known words and their directions
foreign_words     usual nouns of ten languages, as English words
languages         words of other languages (extra `languages`)
label_vectors     the classes of the default embedder, and their directions
literal_match     words and dates of a query
texts             the pictures whose paths, cameras and titles have them
text_scores       a query, and the scores of pictures by what a classifier saw
scale             scores of hits, 0 to 100 %
explain           why a picture is a hit
query             a matrix searched by words, by a vector, or by both
top_k             the best scores
filters           which pictures may be shown
filter_columns    all pictures filtered at once
duplicates        groups of near-duplicates
"""
