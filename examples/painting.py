"""Scenes for make_pictures.py, simple enough for a network that was trained on photos to recognise
most of them. Each takes a random generator and a size in pixels. Needs Pillow.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont, ImageOps

Size = tuple[int, int]
Colour = tuple[int, int, int]
Scene = Callable[[random.Random, Size], Image.Image]

LINES = ("Dear Ada,", "the boats came in at six,", "we counted 14 of them.", "Love, N.", "No. 2041")


def clouds(rng: random.Random, size: Size, *, coarsest: int = 4) -> Image.Image:
    """A grey texture with detail at every scale, as skies, stone and skin have."""
    total = Image.new("L", size, 128)
    for octave in range(6):
        cells = coarsest << octave
        if cells > min(size):
            break
        raw = Image.frombytes("L", (cells, cells), rng.randbytes(cells * cells))
        layer = raw.resize(size, Image.Resampling.BICUBIC)
        total = Image.blend(total, layer, 0.5 / (1 + octave * 0.6))
    return ImageOps.autocontrast(total)


def grain(rng: random.Random, picture: Image.Image, strength: float) -> Image.Image:
    """The picture with the noise of a sensor."""
    noise = Image.frombytes("L", picture.size, rng.randbytes(picture.width * picture.height))
    noise = noise.filter(ImageFilter.GaussianBlur(0.6))
    return Image.blend(picture, ImageChops.overlay(picture, noise.convert("RGB")), strength)


def colour(rng: random.Random, low: int = 20, high: int = 235) -> Colour:
    return rng.randint(low, high), rng.randint(low, high), rng.randint(low, high)


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """Of `share` 0 the one, of 1 the other."""
    red, green, blue = (round(a * (1 - share) + b * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def daytime(rng: random.Random, size: Size) -> Image.Image:
    """A blue sky with clouds."""
    blue = (rng.randint(50, 90), rng.randint(110, 150), rng.randint(190, 220))
    return ImageOps.colorize(clouds(rng, size), blue, (250, 244, rng.randint(225, 250)))


def landscape(rng: random.Random, size: Size) -> Image.Image:
    """Ranges of hills, the far ones in haze."""
    width, height = size
    picture = daytime(rng, size)
    for depth in range(1, 5):
        waves = [(rng.uniform(0, 6.3), rng.uniform(0.7, 1.3) * 2**n) for n in range(7)]
        relief = height * 0.16 / math.sqrt(depth)
        ridge = [(0.0, float(height))]
        for x in range(0, width + 8, 8):
            swing = sum(
                abs(math.sin(x / width * math.pi * pace + start)) / 2**n
                for n, (start, pace) in enumerate(waves)
            )
            ridge.append((float(x), height * (0.4 + 0.13 * depth) - relief * swing))
        mask = Image.new("L", size, 0)
        ImageDraw.Draw(mask).polygon([*ridge, (width + 8.0, float(height))], fill=255)
        dark = mixed((25, 55, 20), (120, 150, 185), 1 - depth / 5)
        light = mixed((110, 140, 60), (165, 190, 215), 1 - depth / 5)
        picture.paste(ImageOps.colorize(clouds(rng, size, coarsest=16), dark, light), mask=mask)
    return picture


def lighthouse(rng: random.Random, size: Size) -> Image.Image:
    """A lighthouse in stripes, hills behind it."""
    picture = landscape(rng, size)
    draw = ImageDraw.Draw(picture)
    x, unit, bands = size[0] * rng.uniform(0.4, 0.6), min(size) * 0.07, 6
    for n in range(bands):
        low, high = (size[1] * 0.85 - (n + up) * 1.5 * unit for up in (0, 1))
        wide, narrow = (unit * (1.5 - 0.1 * (n + up)) for up in (0, 1))
        corners = [(x - wide, low), (x + wide, low), (x + narrow, high), (x - narrow, high)]
        draw.polygon(corners, fill=(245, 243, 238) if n % 2 else (200, 35, 30))
    top = size[1] * 0.85 - bands * 1.5 * unit
    draw.rectangle((x - 1.15 * unit, top - unit / 4, x + 1.15 * unit, top), fill=(40, 40, 40))
    lamp = (x - 0.65 * unit, top - 1.4 * unit, x + 0.65 * unit, top - unit / 4)
    draw.rectangle(lamp, fill=(255, 235, 150))
    roof = [(x - 0.85 * unit, lamp[1]), (x + 0.85 * unit, lamp[1]), (x, top - 2.3 * unit)]
    draw.polygon(roof, fill=(150, 25, 25))
    return picture


def sailing_boat(rng: random.Random, size: Size) -> Image.Image:
    """A sailing boat on the sea, and its reflection."""
    width, height = size
    picture = daytime(rng, size)
    horizon = round(height * rng.uniform(0.6, 0.7))
    waves = clouds(rng, size, coarsest=8).resize((width * 3, height)).crop((0, 0, width, height))
    picture.paste(ImageOps.colorize(waves, (10, 60, 110), (60, 125, 170)), (0, horizon))
    draw = ImageDraw.Draw(picture)
    x, unit = width * rng.uniform(0.42, 0.58), min(size) * rng.uniform(0.085, 0.1)
    base = horizon + unit * 0.9

    def at(across: float, up: float) -> tuple[float, float]:
        return x + across * unit, base - up * unit

    for side, top, foot, wide in ((1, 7.0, 1.1, 2.3), (-1, 6.3, 1.0, 1.9)):
        edge = [n / 12 for n in range(13)]
        bulged = [
            at(side * (0.1 + wide * t + 0.35 * math.sin(math.pi * t)), top - (top - foot) * t)
            for t in edge
        ]
        draw.polygon(
            [at(side * 0.1, foot), *bulged], fill=(252, 250, 244) if side > 0 else "#e8e4dc"
        )
    draw.line((*at(0, 0.4), *at(0, 7.2)), fill=(70, 55, 40), width=max(2, round(unit / 9)))
    hull = [(-2.5, 0.75), (-1.2, 0.6), (1.5, 0.6), (3, 0.95), (2.1, 0), (-2, 0)]
    draw.polygon([at(*point) for point in hull], fill=rng.choice(["#fafafa", "#782a1e", "#1e325a"]))
    above = picture.crop((0, round(base - 6 * unit), width, round(base)))
    mirrored = ImageOps.flip(above).resize((width, round(3 * unit)))
    mask = Image.new("L", mirrored.size, 0)
    ImageDraw.Draw(mask).rectangle((x - 2.6 * unit, 0, x + 2.6 * unit, mask.height), fill=90)
    picture.paste(mirrored, (0, round(base)), mask.filter(ImageFilter.GaussianBlur(unit / 4)))
    for _ in range(200):
        near = rng.random()
        left, y = rng.uniform(0, width), base + (height - base) * near
        glint = (left, y, left + unit * (0.3 + 2 * near), y)
        draw.line(glint, fill=(150, 195, 222), width=1 + round(unit / 30 * near))
    return picture


def balloon(rng: random.Random, size: Size) -> Image.Image:
    """A balloon with a basket, in the sky."""
    picture = daytime(rng, size)
    draw = ImageDraw.Draw(picture)
    x, y, r = size[0] * rng.uniform(0.4, 0.6), size[1] * 0.4, min(size) * 0.27
    cloths = [colour(rng, 150, 255), (245, 215, 60), (210, 40, 40), (250, 250, 245)]

    def seam(turn: float) -> list[tuple[float, float]]:
        points = []
        for step in range(41):
            down = step / 16 - 1
            wide = math.sqrt(1 - down**2) if down < 0.35 else 0.937 - 0.69 * (down - 0.35)
            points.append((x + math.sin(turn) * wide * r, y + down * r))
        return points

    write_lock = [(n / 4 - 1) * math.pi / 2 for n in range(9)]
    for n in range(8):
        draw.polygon([*seam(write_lock[n]), *reversed(seam(write_lock[n + 1]))], fill=cloths[n % 4])
    mouth = y + 1.5 * r
    for side in (-1, 1):
        rope = (x + side * 0.13 * r, mouth, x + side * 0.13 * r, mouth + 0.4 * r)
        draw.line(rope, fill=(60, 40, 30), width=max(2, round(r / 60)))
    basket = (x - 0.17 * r, mouth + 0.38 * r, x + 0.17 * r, mouth + 0.62 * r)
    draw.rectangle(basket, fill=(120, 80, 45))
    return picture


def traffic_light(rng: random.Random, size: Size) -> Image.Image:
    """A traffic light, one of three lit."""
    picture = daytime(rng, size)
    draw = ImageDraw.Draw(picture)
    x, r, top = size[0] * rng.uniform(0.4, 0.6), min(size) * 0.075, size[1] * 0.15
    draw.rectangle((x - r / 4, top, x + r / 4, size[1]), fill=(70, 72, 74))
    draw.rounded_rectangle((x - 1.5 * r, top, x + 1.5 * r, top + 7.6 * r), r / 2, fill="#1c1e1e")
    lit = rng.randrange(3)
    for n, bright in enumerate(((230, 30, 25), (250, 190, 30), (40, 220, 90))):
        y = top + (1.4 + 2.4 * n) * r
        shown = bright if n == lit else mixed(bright, (0, 0, 0), 0.75)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=shown)
        hood = (x - 1.15 * r, y - 1.25 * r, x + 1.15 * r, y + 1.05 * r)
        draw.arc(hood, 180, 360, fill=(10, 10, 10), width=round(r / 5))
    return picture


def town(rng: random.Random, size: Size) -> Image.Image:
    """Houses with windows, some of them lit, below an evening sky."""
    width, height = size
    picture = ImageOps.colorize(clouds(rng, size), (24, 20, 60), (220, 140, 110))
    draw = ImageDraw.Draw(picture)
    left = 0
    while left < width:
        wide, top = rng.randint(width // 9, width // 5), rng.randint(height // 4, height * 3 // 5)
        draw.rectangle((left, top, left + wide, height), fill=colour(rng, 70, 190))
        gable = (left + wide / 2, top - wide * rng.uniform(0.3, 0.7))
        eaves = [(left - wide * 0.05, top), gable, (left + wide * 1.05, top)]
        draw.polygon(eaves, fill=(rng.randint(110, 160), 60, 45))
        columns = rng.randint(2, 4)
        pane = wide / (columns * 2 + 1)
        for column in range(columns):
            x, y = left + pane * (1 + 2 * column), top + pane
            while y < height:
                glass = (255, 214, 130) if rng.random() < 0.3 else (40, 50, 65)
                frame = (x, y, x + pane, y + pane * 1.5)
                draw.rectangle(frame, fill=glass, outline="#f0eee6", width=max(1, round(pane / 8)))
                y += pane * 2.6
        left += wide
    return picture


def portrait(rng: random.Random, size: Size) -> Image.Image:
    """Somebody before a blurred wall."""
    width, height = size
    wall = ImageOps.colorize(clouds(rng, size), colour(rng, 20, 110), colour(rng, 110, 235))
    picture = wall.filter(ImageFilter.GaussianBlur(width / 150))
    draw = ImageDraw.Draw(picture)
    x, y, r = width * rng.uniform(0.4, 0.6), height * 0.42, min(size) * rng.uniform(0.16, 0.24)
    skin = rng.choice([(236, 200, 172), (198, 144, 108), (122, 82, 58)])
    draw.ellipse((x - 2 * r, y + r, x + 2 * r, y + 5 * r), fill=colour(rng))
    draw.ellipse((x - r * 1.1, y - r * 1.4, x + r * 1.1, y + r * 0.9), fill=colour(rng, 10, 120))
    draw.ellipse((x - r * 0.85, y - r, x + r * 0.85, y + r * 1.2), fill=skin)
    for side in (-1, 1):
        eye = x + side * r * 0.35
        draw.ellipse((eye - r * 0.13, y - r * 0.1, eye + r * 0.13, y + r * 0.08), fill="white")
        draw.ellipse((eye - r * 0.06, y - r * 0.08, eye + r * 0.06, y + r * 0.06), fill="black")
    smile = (x - r * 0.4, y + r * 0.2, x + r * 0.4, y + r * 0.75)
    draw.arc(smile, 20, 160, "firebrick", round(r / 14))
    return picture


def letter(rng: random.Random, size: Size) -> Image.Image:
    """A page of writing, photographed from above."""
    paper = ImageOps.colorize(clouds(rng, size, coarsest=8), (214, 202, 176), (248, 244, 230))
    draw = ImageDraw.Draw(paper)
    font = ImageFont.load_default(size=max(12, size[1] // 28))
    ink = colour(rng, 10, 90)
    for row in range(20):
        x, y = size[0] * 0.08 + rng.uniform(-3, 3), size[1] * (0.06 + 0.045 * row)
        words = " ".join(rng.choice(LINES) for _ in range(2))
        draw.text((x, y), words, fill=ink, font=font)
    table = (96, 70, 48)
    return paper.rotate(rng.uniform(-4, 4), Image.Resampling.BICUBIC, fillcolor=table)


def crossword(rng: random.Random, size: Size) -> Image.Image:
    """A crossword puzzle, half done."""
    paper = ImageOps.colorize(clouds(rng, size, coarsest=16), (220, 215, 200), (250, 248, 240))
    draw = ImageDraw.Draw(paper)
    cells, cell = 13, min(size) * 0.86 / 13
    font = ImageFont.load_default(size=cell * 0.55)
    for place in range(cells * cells):
        x = (size[0] - cells * cell) / 2 + place % cells * cell
        y = (size[1] - cells * cell) / 2 + place // cells * cell
        if rng.random() < 0.22:
            draw.rectangle((x, y, x + cell, y + cell), fill=(20, 20, 20))
            continue
        draw.rectangle((x, y, x + cell, y + cell), outline=(30, 30, 30), width=2)
        if rng.random() < 0.4:
            middle = (x + cell / 2, y + cell / 2)
            draw.text(middle, rng.choice("AEINORST"), fill=(30, 30, 110), font=font, anchor="mm")
    return paper


def clock(rng: random.Random, size: Size) -> Image.Image:
    """A clock on a wall, at any time."""
    wall = ImageOps.colorize(clouds(rng, size, coarsest=32), colour(rng, 120, 180), "#d8d4cc")
    picture = wall.filter(ImageFilter.GaussianBlur(2))
    draw = ImageDraw.Draw(picture)
    x, y, r = size[0] / 2, size[1] / 2, min(size) * rng.uniform(0.33, 0.42)

    def at(share: float, out: float) -> tuple[float, float]:
        turn = math.tau * (share - 0.25)
        return x + out * r * math.cos(turn), y + out * r * math.sin(turn)

    shadow = (x - r * 1.03, y - r * 0.98, x + r * 1.09, y + r * 1.12)
    draw.ellipse(shadow, fill=(70, 66, 60))
    draw.ellipse((x - r, y - r, x + r, y + r), fill=colour(rng, 15, 90))
    draw.ellipse((x - 0.9 * r, y - 0.9 * r, x + 0.9 * r, y + 0.9 * r), fill=(248, 246, 238))
    font = ImageFont.load_default(size=r * 0.2)
    for hour in range(1, 13):
        draw.text(at(hour / 12, 0.7), str(hour), fill=(20, 20, 20), font=font, anchor="mm")
    for minute in range(60):
        inner = 0.85 if minute % 5 else 0.81
        tick = (*at(minute / 60, inner), *at(minute / 60, 0.88))
        draw.line(tick, fill=(20, 20, 20), width=round(r / 60) + 1)
    now = rng.randrange(720)
    for share, out, width in ((now / 720, 0.45, r / 16), (now % 60 / 60, 0.68, r / 26)):
        draw.line((x, y, *at(share, out)), fill=(15, 15, 15), width=round(width))
    return picture


def daisy(rng: random.Random, size: Size) -> Image.Image:
    """A daisy in the grass."""
    grass = ImageOps.colorize(clouds(rng, size, coarsest=8), (20, 60, 15), (110, 170, 60))
    picture = grass.filter(ImageFilter.GaussianBlur(min(size) / 150))
    draw = ImageDraw.Draw(picture)
    x, y, r = size[0] * rng.uniform(0.45, 0.55), size[1] * 0.45, min(size) * 0.36
    draw.line((x, y, x + size[0] * 0.05, size[1]), fill=(60, 110, 35), width=round(r / 12))
    outline = (
        (0.2, -0.07),
        (0.6, -0.12),
        (0.92, -0.1),
        (1, 0),
        (0.92, 0.1),
        (0.6, 0.12),
        (0.2, 0.07),
    )
    petals = rng.randint(20, 26)
    for petal in range(petals):
        turn = math.tau * petal / petals + rng.uniform(-0.05, 0.05)
        long, white = r * rng.uniform(0.9, 1.05), rng.randint(232, 255)
        points = [
            (x + out * long * math.cos(turn + aside), y + out * long * math.sin(turn + aside))
            for out, aside in outline
        ]
        draw.polygon(points, fill=(white, white, white - 4), outline=(200, 200, 205))
    draw.ellipse((x - 0.27 * r, y - 0.27 * r, x + 0.27 * r, y + 0.27 * r), fill=(236, 180, 20))
    for _ in range(400):
        turn, out = rng.uniform(0, math.tau), r * 0.26 * math.sqrt(rng.random())
        left, top = x + out * math.cos(turn), y + out * math.sin(turn)
        dot = (left - r / 60, top - r / 60, left + r / 60, top + r / 60)
        draw.ellipse(dot, fill=(rng.randint(190, 255), rng.randint(130, 200), 10))
    return picture


# In the words of somebody who writes German: what a search in English finds, it has seen.
SCENES: dict[str, Scene] = {
    "Berge": landscape,
    "Leuchtturm": lighthouse,
    "Segeln": sailing_boat,
    "Ballonfahrt": balloon,
    "Ampel": traffic_light,
    "Häuser": town,
    "Tante Zoë": portrait,
    "Brief": letter,
    "Kreuzworträtsel": crossword,
    "Wanduhr": clock,
    "Gänseblümchen": daisy,
}
