"""The contact sheet of a search: one HTML file.

frames.py  hits to frames and sections
sheet.py   frames to HTML; sheet.css and sheet.js are embedded
"""
