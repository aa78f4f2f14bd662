"""Vectors, words and what pictures say of themselves to hits. Knows neither SQL nor the screen."""
