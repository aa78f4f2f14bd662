"""URLs by which others, browsers among them, reach single objects without credentials.

urls   made and signed; what an endpoint holds their bearers to
cors   the rules by which a bucket lets browsers use them
"""
