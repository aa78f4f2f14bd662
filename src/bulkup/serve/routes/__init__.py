"""The routes of /api/v1, a module a subject. Each has ROUTES.

stats.py    where everything stands
"""
