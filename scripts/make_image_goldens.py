#!/usr/bin/env python3
"""Writes tests/golden/vision/: small synthetic images of all formats, and what Pillow and transformers make of them.

  images/            gradients, noise and shapes as JPEG, PNG, WebP and GIF, in every variety that the decoders know
  hostile/           a PNG with compressed chunks that are large
  *.json             configurations of processors: the published ones, and others with small outputs
  expected.json      for each image its size and the place of its RGB bytes in expected.bin; resized images; images as the
                     processors of transformers prepare them: 8-bit levels, and for published configurations the SHA-256 of the
                     fp32 values
  expected.bin       these bytes, one after the other

Needs the Python packages pillow, numpy and transformers; the processors are those of transformers' "pil" backend.
"""

import argparse
import hashlib
import io
import itertools
import json
import pathlib
import shutil
import struct
import zlib

import numpy as np
import PIL
import transformers
from PIL import Image, ImageDraw
from transformers.image_utils import load_image
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "tests/golden/vision"

CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
COMMON = {"do_normalize": True, "do_resize": True, "image_mean": CLIP_MEAN, "image_std": CLIP_STD, "resample": 3}
PROCESSORS = {"CLIPImageProcessor": CLIPImageProcessorPil, "BlipImageProcessor": BlipImageProcessorPil,
              "Qwen2VLImageProcessor": Qwen2VLImageProcessorPil}
# As openai/clip-vit-base-patch32, Salesforce/blip2-opt-2.7b, Qwen/Qwen2-VL-2B-Instruct and Qwen/Qwen3-VL-2B-Instruct have them.
PUBLISHED = {
    "clip": {**COMMON, "crop_size": 224, "do_center_crop": True, "feature_extractor_type": "CLIPFeatureExtractor", "size": 224},
    "blip2": {**COMMON, "do_convert_rgb": True, "do_rescale": True, "image_processor_type": "BlipImageProcessor",
              "processor_class": "Blip2Processor", "rescale_factor": 0.00392156862745098, "size": {"height": 224, "width": 224}},
    "qwen2-vl": {"min_pixels": 3136, "max_pixels": 12845056, "patch_size": 14, "temporal_patch_size": 2, "merge_size": 2,
                 "image_mean": CLIP_MEAN, "image_std": CLIP_STD, "image_processor_type": "Qwen2VLImageProcessor",
                 "processor_class": "Qwen2VLProcessor"},
    "qwen3-vl": {"size": {"longest_edge": 16777216, "shortest_edge": 65536}, "patch_size": 16, "temporal_patch_size": 2,
                 "merge_size": 2, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
                 "processor_class": "Qwen3VLProcessor", "image_processor_type": "Qwen2VLImageProcessorFast"},
}
# The same with outputs that are small enough to be stored, and settings that published ones do not have.
SMALL = {
    "small-clip": {**COMMON, "image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 19}, "do_center_crop": True,
                   "crop_size": {"height": 18, "width": 17}},
    "small-padded": {**COMMON, "image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 9}, "do_center_crop": True,
                     "crop_size": {"height": 16, "width": 13}, "resample": 2},
    "small-blip2": {**COMMON, "image_processor_type": "BlipImageProcessor", "size": {"height": 13, "width": 18}},
    "small-qwen": {**PUBLISHED["qwen3-vl"], "size": {"shortest_edge": 256, "longest_edge": 900}, "patch_size": 3,
                   "temporal_patch_size": 2},
}
RESIZED = [(16, 12), (97, 20), (30, 61), (97, 61), (150, 100), (1, 1), (200, 3), (5, 90)]
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}


# --- synthetic pictures ---


def picture(width, height, seed, noise=30):
    """A gradient under shapes that look like text, with noise: RGB."""
    rng = np.random.RandomState(seed)
    y, x = np.mgrid[0:height, 0:width]
    channels = [x * 255 // max(width - 1, 1), y * 255 // max(height - 1, 1), (x + y) * 255 // max(width + height - 2, 1)]
    image = Image.fromarray(np.stack(channels, -1).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(width * height // 60):
        left, top = int(rng.randint(width)), int(rng.randint(height))
        color = tuple(int(c) for c in rng.randint(0, 256, 3))
        if rng.randint(2):
            draw.line([left, top, left + int(rng.randint(-6, 7)), top + int(rng.randint(-6, 7))], color)
        else:
            draw.ellipse([left, top, left + int(rng.randint(1, 7)), top + int(rng.randint(1, 7))], color)
    pixels = np.asarray(image).astype(int) + rng.randint(-noise, noise + 1, (height, width, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def alpha_of(width, height):
    y, x = np.mgrid[0:height, 0:width]
    return Image.fromarray(((x * 37 + y * 11) % 256).astype(np.uint8))


def with_alpha(image):
    image = image.convert("RGBA")
    image.putalpha(alpha_of(*image.size))
    return image


def exif(orientation, endian=">"):
    entry = struct.pack(endian + "HHIHH", 0x0112, 3, 1, orientation, 0)
    header = (b"MM\0*" if endian == ">" else b"II*\0") + struct.pack(endian + "I", 8)
    return b"Exif\0\0" + header + struct.pack(endian + "H", 1) + entry + bytes(4)


def saved(image, format, **options):
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


# --- files that Pillow does not write ---


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def png_rows(samples, depth):
    """Filtered rows of samples [height, width, channels], packed; the filters 0 to 2 alternate."""
    out, before = b"", None
    for y, row in enumerate(samples.reshape(len(samples), -1)):
        if depth == 16:
            data = row.astype(">u2").tobytes()
        else:
            bits = np.unpackbits(row.astype(np.uint8)[:, None], axis=1)[:, 8 - depth:]
            data = np.packbits(bits.reshape(-1)).tobytes()
        data = np.frombuffer(data, np.uint8)
        step = max(1, samples.shape[2] * depth // 8)
        left = np.concatenate([np.zeros(step, np.uint8), data])[:len(data)]
        above = before if before is not None else np.zeros_like(data)
        out += bytes([y % 3]) + (data - [np.zeros_like(data), left, above][y % 3]).astype(np.uint8).tobytes()
        before = data
    return out


def png(samples, depth, color_type, interlaced=False, before=b"", after=b""):
    """samples: [height, width, channels]."""
    height, width = samples.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, int(interlaced))
    passes = [samples[y::dy, x::dx] for x, y, dx, dy in ADAM7] if interlaced else [samples]
    rows = b"".join(png_rows(part, depth) for part in passes if part.size)
    data = zlib.compress(rows, 9)
    half = len(data) // 2
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before + chunk(b"IDAT", data[:half]) + chunk(b"IDAT", data[half:]) + after +
            chunk(b"IEND", b""))


def gif_frame(width, height, screen, at, palette=None, local=None, transparent=None, seed=0, interlaced=False, bits=3):
    """One image of random indices in uncompressed LZW codes: a clear code comes before the width of codes would grow."""
    indices = np.random.RandomState(seed).randint(0, 1 << bits, width * height)
    clear, code_bits, per_clear = 1 << bits, bits + 1, (1 << bits) - 2
    codes = []
    for i, index in enumerate(indices):
        if i % per_clear == 0:
            codes.append(clear)
        codes.append(int(index))
    codes.append(clear + 1)
    number = sum(code << (code_bits * i) for i, code in enumerate(codes))
    data = number.to_bytes((code_bits * len(codes) + 7) // 8, "little")
    table_flags = lambda table: 0x80 | ((len(table) // 3).bit_length() - 2) if table else 0
    out = b"GIF89a" + struct.pack("<HHBBB", *screen, table_flags(palette), 1, 0) + (palette or b"")
    if transparent is not None:
        out += b"!\xf9\x04" + bytes([1, 0, 0, transparent, 0])
    out += b"!\xfe\x05hello\0"
    out += b"," + struct.pack("<HHHHB", *at, width, height, table_flags(local) | (0x40 if interlaced else 0)) + (local or b"") + bytes([bits])
    for begin in range(0, len(data), 255):
        out += bytes([len(data[begin:begin + 255])]) + data[begin:begin + 255]
    return out + b"\0;"


def first_webp_frame(size, at, canvas):
    """An animation of one frame that covers a part of its canvas."""
    still = saved(picture(*size, 77), "WEBP", lossless=True)
    three = lambda value: struct.pack("<I", value)[:3]
    pack = lambda kind, data: kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
    frame = three(at[0] // 2) + three(at[1] // 2) + three(size[0] - 1) + three(size[1] - 1) + three(100) + b"\0" + still[12:]
    body = (b"WEBP" + pack(b"VP8X", bytes([2, 0, 0, 0]) + three(canvas[0] - 1) + three(canvas[1] - 1)) +
            pack(b"ANIM", bytes(6)) + pack(b"ANMF", frame))
    return b"RIFF" + struct.pack("<I", len(body)) + body


# --- the files ---


def jpegs():
    yield "rgb-444.jpg", saved(picture(61, 43, 1), "JPEG", quality=92, subsampling=0)
    yield "rgb-422.jpg", saved(picture(47, 35, 2), "JPEG", quality=85, subsampling=1)
    yield "rgb-420.jpg", saved(picture(55, 39, 3), "JPEG", quality=75, subsampling=2)
    yield "rgb-q10.jpg", saved(picture(33, 40, 4), "JPEG", quality=10)
    yield "progressive.jpg", saved(picture(50, 34, 5), "JPEG", quality=80, progressive=True)
    yield "progressive-grey.jpg", saved(picture(29, 31, 6).convert("L"), "JPEG", progressive=True)
    yield "grey.jpg", saved(picture(41, 27, 7).convert("L"), "JPEG", quality=90)
    yield "restarts.jpg", saved(picture(64, 40, 8), "JPEG", restart_marker_blocks=2)
    yield "stored-rgb.jpg", saved(picture(30, 21, 9), "JPEG", keep_rgb=True, quality=90)
    cmyk = saved(Image.merge("CMYK", [*picture(37, 26, 10).split(), alpha_of(37, 26)]), "JPEG", quality=90)
    yield "cmyk.jpg", cmyk
    yield "ycck.jpg", cmyk.replace(b"\xff\xee\x00\x0eAdobe\x00\x64\0\0\0\0\0", b"\xff\xee\x00\x0eAdobe\x00\x64\0\0\0\0\2")
    yield "one-pixel.jpg", saved(picture(1, 1, 11), "JPEG")
    yield "narrow.jpg", saved(picture(3, 70, 12), "JPEG")
    for orientation in range(1, 9):
        endian = "<>"[orientation % 2]
        yield f"orientation-{orientation}.jpg", saved(picture(21, 14, 20 + orientation), "JPEG", quality=95,
                                                      exif=exif(orientation, endian))


def pngs():
    rgb = np.asarray(picture(45, 33, 30))
    grey = rgb[..., :1]
    alpha = np.asarray(alpha_of(45, 33))[..., None]
    deep = lambda image: image.astype(int) * 257 - (image % 3).astype(int) * (image > 0)
    yield "rgb.png", png(rgb, 8, 2)
    yield "large-rgb.png", saved(picture(97, 61, 31, noise=3), "PNG")
    yield "rgba.png", saved(with_alpha(picture(40, 29, 32)), "PNG")
    yield "grey.png", png(grey, 8, 0)
    yield "grey-alpha.png", png(np.concatenate([grey, alpha], -1), 8, 4)
    for depth in (1, 2, 4):
        yield f"grey-{depth}bit.png", png(grey >> (8 - depth), depth, 0)
        colors = bytes(np.random.RandomState(depth).randint(0, 256, 3 << depth).astype(np.uint8))
        yield f"palette-{depth}bit.png", png(grey >> (8 - depth), depth, 3, before=chunk(b"PLTE", colors))
    yield "palette.png", saved(picture(44, 32, 33).quantize(200), "PNG")
    yield "palette-alpha.png", png(grey >> 4, 8, 3, before=chunk(b"PLTE", bytes(range(100, 148))) + chunk(b"tRNS", bytes(range(16))))
    yield "palette-short.png", png(grey >> 3, 8, 3, before=chunk(b"PLTE", bytes(range(60, 150))))
    yield "rgb-16bit.png", png(deep(rgb), 16, 2)
    yield "rgba-16bit.png", png(np.concatenate([deep(rgb), deep(alpha)], -1), 16, 6)
    yield "grey-16bit.png", png(grey.astype(int) * 2, 16, 0)
    yield "grey-alpha-16bit.png", png(np.concatenate([deep(grey), deep(alpha)], -1), 16, 4)
    yield "transparent-rgb.png", png(rgb, 8, 2, before=chunk(b"tRNS", struct.pack(">HHH", *(int(c) for c in rgb[0, 0]))))
    yield "transparent-grey.png", png(grey, 8, 0, before=chunk(b"tRNS", b"\0\x80"))
    yield "interlaced.png", png(rgb, 8, 2, interlaced=True)
    yield "interlaced-grey-16bit.png", png(grey.astype(int) * 2, 16, 0, interlaced=True)
    yield "interlaced-palette.png", png(grey >> 6, 2, 3, interlaced=True, before=chunk(b"PLTE", bytes(range(12))))
    yield "interlaced-tiny.png", png(rgb[:2, :3], 8, 2, interlaced=True)
    yield "exif.png", png(rgb, 8, 2, before=chunk(b"eXIf", exif(6)[6:]))
    yield "exif-behind.png", png(rgb, 8, 2, after=chunk(b"eXIf", exif(3, "<")[6:]))
    yield "text.png", png(rgb[:9], 8, 2, before=chunk(b"gAMA", struct.pack(">I", 45455)) + chunk(b"tEXt", b"Comment\0x"))
    yield "animated.png", saved(picture(24, 18, 34), "PNG", save_all=True, append_images=[picture(24, 18, 35)])


def webps():
    yield "lossy.webp", saved(picture(52, 37, 40), "WEBP", quality=80)
    yield "lossy-q5.webp", saved(picture(35, 48, 41), "WEBP", quality=5)
    yield "lossless.webp", saved(picture(43, 30, 42), "WEBP", lossless=True)
    yield "lossless-alpha.webp", saved(with_alpha(picture(31, 22, 43)), "WEBP", lossless=True, exact=True)
    yield "lossy-alpha.webp", saved(with_alpha(picture(38, 27, 44)), "WEBP", quality=70)
    yield "orientation.webp", saved(picture(26, 17, 45), "WEBP", lossless=True, exif=exif(8)[6:])
    yield "animated.webp", saved(picture(28, 20, 46), "WEBP", save_all=True, append_images=[picture(28, 20, 47)], lossless=True)
    yield "animated-lossy.webp", saved(with_alpha(picture(30, 25, 48)), "WEBP", save_all=True, append_images=[picture(30, 25, 49)])
    yield "animated-part.webp", first_webp_frame((17, 11), (6, 4), (40, 30))


def gifs():
    colors = lambda count, seed: bytes(np.random.RandomState(seed).randint(0, 256, 3 * count).astype(np.uint8))
    yield "quantised.gif", saved(picture(48, 36, 50).quantize(256), "GIF")
    yield "two-colors.gif", saved(picture(40, 25, 51).convert("1"), "GIF")
    yield "grey.gif", saved(picture(33, 28, 52).convert("L"), "GIF")
    yield "animated.gif", saved(picture(30, 22, 53).quantize(64), "GIF", save_all=True, append_images=[picture(30, 22, 54).quantize(64)])
    yield "transparent.gif", gif_frame(20, 15, (20, 15), (0, 0), palette=colors(8, 1), transparent=3)
    yield "interlaced.gif", gif_frame(23, 19, (23, 19), (0, 0), palette=colors(8, 2), interlaced=True)
    yield "offset.gif", gif_frame(11, 9, (30, 24), (7, 5), palette=colors(8, 3))
    yield "offset-transparent.gif", gif_frame(11, 9, (30, 24), (7, 5), palette=colors(8, 4), transparent=5)
    yield "beyond-screen.gif", gif_frame(11, 9, (10, 10), (7, 5), local=colors(8, 5))
    yield "local-colors.gif", gif_frame(21, 9, (21, 9), (0, 0), palette=colors(4, 6), local=colors(8, 7))
    yield "no-colors.gif", gif_frame(13, 12, (13, 12), (0, 0), bits=8)
    yield "few-colors.gif", gif_frame(13, 12, (13, 12), (0, 0), palette=colors(4, 8), bits=4)


def figures():
    """Large enough for figures of documents (tests/rag/office), which icons are not."""
    yield "lake.jpg", saved(picture(96, 70, 51), "JPEG", quality=60)
    yield "hill.jpg", saved(picture(80, 90, 52), "JPEG", quality=60)
    yield "lake.png", saved(picture(72, 66, 53), "PNG", optimize=True)
    yield "packed.pdf", packed_pdf()
    yield "samples.pdf", samples_pdf()


def pdf_stream(dictionary, data):
    return f"<<{dictionary}/Length {len(data)}>>\nstream\n".encode() + data + b"\nendstream"


def pdf(objects, packed=(), holder=0):
    """With a table of references in a stream, the last object; `packed`: the numbers of the objects in object `holder`."""
    body, places = b"%PDF-1.5\n", {0: (0, 0, 0)}
    for number, data in objects.items():
        places[number] = (1, len(body), 0)
        body += f"{number} 0 obj\n".encode() + data + b"\nendobj\n"
    places |= {number: (2, holder, index) for index, number in enumerate(packed)}
    last = max(places) + 1
    places[last] = (1, len(body), 0)
    table = b"".join(struct.pack(">BIB", *places[number]) for number in range(last + 1))
    xref = pdf_stream(f"/Type/XRef/Size {last + 1}/W[1 4 1]/Root 1 0 R", table)
    return body + f"{last} 0 obj\n".encode() + xref + f"\nendobj\nstartxref\n{len(body)}\n%%EOF\n".encode()


def packed_pdf():
    """Its page tree is in a stream of objects, as pdfTeX and Word write it."""
    image = "/Subtype/Image/Width 1/Height 1/ColorSpace/DeviceRGB/BitsPerComponent 8/Filter/DCTDecode"
    text = b"BT /F 9 Tf 9 9 Td (A line.) Tj ET"
    packed = {1: "<</Type/Catalog/Pages 2 0 R>>", 2: "<</Type/Pages/Count 3/Kids[3 0 R 4 0 R 5 0 R]/MediaBox[0 0 99 99]>>", 3: "<</Type/Page/Parent 2 0 R>>",
              4: "<</Type/Page/Parent 2 0 R/Resources<</XObject<</Im0 8 0 R>>>>/Contents 7 0 R>>",
              5: "<</Type/Page/Parent 2 0 R/Resources 6 0 R>>", 6: "<</XObject 10 0 R>>", 10: "<</Im1 9 0 R>>"}
    places, body = [], ""
    for number, data in packed.items():
        places.append(f"{number} {len(body)}")
        body += data + "\n"
    head = " ".join(places) + "\n"
    return pdf({7: pdf_stream("", text), 8: pdf_stream(image, saved(picture(96, 70, 51), "JPEG", quality=60)),
                9: pdf_stream(image, saved(picture(80, 90, 52), "JPEG", quality=60)),
                11: pdf_stream(f"/Type/ObjStm/N {len(packed)}/First {len(head)}/Filter/FlateDecode", zlib.compress((head + body).encode()))}, packed, 11)


def samples_pdf():
    image, grey = picture(72, 66, 53), picture(80, 90, 54).convert("L")
    kind = "/Subtype/Image/BitsPerComponent 8/Filter/FlateDecode"
    rows = np.asarray(image)
    up = np.diff(rows.reshape(rows.shape[0], -1).astype(int), axis=0, prepend=0) % 256
    filtered = b"".join(b"\2" + row.astype(np.uint8).tobytes() for row in up)
    parms = "/DecodeParms<</Predictor 15/Colors 3/Columns 72>>"
    return pdf({1: b"<</Type/Catalog/Pages 2 0 R>>", 2: b"<</Type/Pages/Count 1/Kids[3 0 R]/MediaBox[0 0 99 99]>>",
                3: b"<</Type/Page/Parent 2 0 R/Resources<</XObject<</A 4 0 R/B 5 0 R/C 6 0 R>>>>/Contents 8 0 R>>",
                4: pdf_stream(f"{kind}/Width 72/Height 66/ColorSpace/DeviceRGB", zlib.compress(rows.tobytes())),
                5: pdf_stream(f"{kind}/Width 72/Height 66/ColorSpace[/ICCBased 7 0 R]{parms}", zlib.compress(filtered)),
                6: pdf_stream(f"{kind}/Width 80/Height 90/ColorSpace/DeviceGray", zlib.compress(np.asarray(grey).tobytes())),
                7: pdf_stream("/N 3", b"profile"), 8: pdf_stream("", b"/A Do")})


def compressed_text():
    """Two chunks that grow to 16 MiB each if they are decompressed."""
    zeros = zlib.compress(bytes(1 << 24), 9)
    chunks = chunk(b"iCCP", b"p\0\0" + zeros) + chunk(b"zTXt", b"k\0\0" + zeros)
    return png(np.asarray(picture(45, 33, 30)), 8, 2, before=chunks)


# --- expected results ---


def opened(path):
    """As transformers loads a path, without what Pillow remembers of the file: a transparent colour that it still knows would
    be made white by the processors, although the pixels are RGB already."""
    return Image.fromarray(np.asarray(load_image(str(path))))


class Expected:
    def __init__(self):
        self.data = b""

    def add(self, array):
        """Where the bytes of `array` begin."""
        self.data += np.ascontiguousarray(array, np.uint8).tobytes()
        return len(self.data) - array.size


def processor_of(config):
    name = config.get("image_processor_type", config.get("feature_extractor_type", ""))
    return PROCESSORS[name.removesuffix("Fast").replace("FeatureExtractor", "ImageProcessor")](**config)


def prepared(config, image, **options):
    """[values, grid]: grid is [1, height, width], in pixels or in patches."""
    result = processor_of(config)(images=image, return_tensors="np", **options)
    values = np.asarray(result["pixel_values"])
    grid = result["image_grid_thw"][0] if "image_grid_thw" in result else [1, *values.shape[-2:]]
    return values, [int(side) for side in grid]


def decoded(expected):
    for path in sorted((GOLDEN / "images").iterdir()):
        image = opened(path)
        lossy = path.suffix == ".jpg" or "lossy" in path.stem
        yield {"file": path.name, "width": image.width, "height": image.height, "tolerance": int(lossy),
               "offset": expected.add(np.asarray(image))}


def resized(expected):
    image = opened(GOLDEN / "images/large-rgb.png")
    for (name, filter), size in itertools.product(FILTERS.items(), RESIZED):
        yield {"filter": name, "width": size[0], "height": size[1], "offset": expected.add(np.asarray(image.resize(size, filter)))}


def processed(expected):
    for path, name in itertools.product(sorted((GOLDEN / "images").iterdir()), SMALL):
        image = opened(path)
        levels, grid = prepared(SMALL[name], image, do_rescale=False, do_normalize=False)
        assert np.array_equal(levels, levels.round())
        yield {"file": path.name, "config": name, "grid": grid, "bytes": int(levels.size), "offset": expected.add(levels)}


def published():
    for file, name in itertools.product(("rgb.png", "large-rgb.png", "narrow.jpg", "lossless.webp", "palette.png"), PUBLISHED):
        values, grid = prepared(PUBLISHED[name], opened(GOLDEN / "images" / file))
        flat = values.astype("<f4").reshape(-1)
        places = [int(i) for i in np.linspace(0, flat.size - 1, 12)]
        yield {"file": file, "config": name, "grid": grid, "values": int(flat.size), "sha256": hashlib.sha256(flat.tobytes()).hexdigest(),
               "samples": [[i, float(flat[i])] for i in places]}


def main():
    argparse.ArgumentParser(prog="make_image_goldens.py", description=__doc__,
                            formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    shutil.rmtree(GOLDEN, ignore_errors=True)
    (GOLDEN / "images").mkdir(parents=True)
    for name, data in (*jpegs(), *pngs(), *webps(), *gifs()):
        (GOLDEN / "images" / name).write_bytes(data)
    (GOLDEN / "figures").mkdir()
    for name, data in figures():
        (GOLDEN / "figures" / name).write_bytes(data)
    (GOLDEN / "hostile").mkdir()
    (GOLDEN / "hostile/compressed-text.png").write_bytes(compressed_text())
    for name, config in {**PUBLISHED, **SMALL}.items():
        (GOLDEN / f"{name}.json").write_text(json.dumps(config, indent=1) + "\n")
    expected = Expected()
    versions = {"pillow": PIL.__version__, "transformers": transformers.__version__}
    tables = {"images": list(decoded(expected)), "resized": list(resized(expected)), "processed": list(processed(expected)),
              "published": list(published())}
    lines = [f'"versions": {json.dumps(versions)}']
    lines += [f'"{name}": [\n' + ",\n".join(map(json.dumps, rows)) + "]" for name, rows in tables.items()]
    (GOLDEN / "expected.json").write_text("{" + ",\n".join(lines) + "}\n")
    (GOLDEN / "expected.bin").write_bytes(expected.data)


if __name__ == "__main__":
    main()
