"""Writes what Pillow, transformers and pycocotools make of images and boxes: tests/fixtures/image, for the tests of crates/image.

    python3.12 -m venv venv && venv/bin/pip install -r requirements-image.txt
    venv/bin/python pillow.py

The photograph is a part of scikit-image's `chelsea` (Stefan van der Walt, CC0). Processors are the slow ones of transformers, which
resize with Pillow. Large tensors are written as every so manieth of their values.
"""

import io
import json
import random
from pathlib import Path

import numpy as np
import transformers
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from skimage import data

TO = Path(__file__).parent.parent / "fixtures/image"
FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
SAMPLES = 60

IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
CLIP = {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
# As models on the hub have them, some with smaller sizes; with the sizes of images that each is tried on.
PROCESSORS = [
    {"image_processor_type": "ViTImageProcessor", "do_normalize": True, "do_rescale": True, "do_resize": True,
     "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "resample": 2,
     "rescale_factor": 0.00392156862745098, "size": {"height": 224, "width": 224}},
    {"feature_extractor_type": "ViTFeatureExtractor", "do_normalize": True, "do_resize": True, **IMAGENET, "size": 96},
    {"crop_size": 112, "do_center_crop": True, "do_normalize": True, "do_resize": True,
     "feature_extractor_type": "CLIPFeatureExtractor", **CLIP, "resample": 3, "size": 112},
    {"image_processor_type": "CLIPImageProcessor", "crop_size": {"height": 224, "width": 224}, "do_convert_rgb": True},
    {"image_processor_type": "BitImageProcessor", "crop_size": {"height": 224, "width": 224}, "do_center_crop": True,
     "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True, **IMAGENET, "resample": 3,
     "rescale_factor": 0.00392156862745098, "size": {"shortest_edge": 256}},
    {"image_processor_type": "BitImageProcessor", "crop_size": {"height": 141, "width": 96}, "size": {"shortest_edge": 57}},
    {"feature_extractor_type": "ConvNextFeatureExtractor", "crop_pct": 0.875, "do_normalize": True, "do_resize": True,
     **IMAGENET, "resample": 3, "size": 224},
    {"image_processor_type": "ConvNextImageProcessor", "crop_pct": 0.875, "size": {"shortest_edge": 384}, **IMAGENET},
    {"image_processor_type": "MobileNetV2ImageProcessor", "crop_size": {"height": 224, "width": 224},
     "do_center_crop": True, "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": [0.5, 0.5, 0.5],
     "image_std": [0.5, 0.5, 0.5], "resample": 2, "rescale_factor": 0.00392156862745098, "size": {"shortest_edge": 256}},
    {"image_processor_type": "MobileNetV1ImageProcessor"},
    {"image_processor_type": "MobileViTImageProcessor", "crop_size": {"height": 256, "width": 256},
     "do_center_crop": True, "do_flip_channel_order": True, "do_rescale": True, "do_resize": True, "resample": 2,
     "size": {"shortest_edge": 288}},
    {"image_processor_type": "EfficientNetImageProcessor", "crop_size": {"height": 289, "width": 289},
     "do_center_crop": False, "do_normalize": True, "do_rescale": True, "do_resize": True, **IMAGENET,
     "include_top": True, "resample": 0, "rescale_factor": 0.00392156862745098, "rescale_offset": False,
     "size": {"height": 224, "width": 224}},
    {"image_processor_type": "EfficientNetImageProcessor", "include_top": False, "rescale_offset": True,
     "rescale_factor": 0.00784313725490196, "size": {"height": 65, "width": 49}, "resample": 3},
    {"image_processor_type": "DeiTImageProcessor", "crop_size": {"height": 224, "width": 224}, "do_center_crop": True,
     "do_normalize": True, "do_resize": True, **IMAGENET, "resample": 3, "size": {"height": 256, "width": 256}},
    {"image_processor_type": "BeitImageProcessor", "do_center_crop": False, "size": {"height": 224, "width": 224}},
    {"feature_extractor_type": "DetrFeatureExtractor", "do_normalize": True, "do_resize": True, "format": "coco_detection",
     **IMAGENET, "max_size": 1333, "size": 400},
    {"image_processor_type": "DetrImageProcessor", "size": {"shortest_edge": 203, "longest_edge": 233}, "do_pad": True,
     "pad_size": {"height": 240, "width": 251}},
    {"image_processor_type": "YolosImageProcessor", "size": {"shortest_edge": 203, "longest_edge": 253}},
    {"image_processor_type": "RTDetrImageProcessor", "do_normalize": False, "do_pad": False, "do_rescale": True,
     "do_resize": True, "format": "coco_detection", **IMAGENET, "resample": 2, "rescale_factor": 0.00392156862745098,
     "size": {"height": 640, "width": 640}},
    {"image_processor_type": "SegformerImageProcessor", "do_reduce_labels": True, "size": {"height": 128, "width": 120}},
    {"image_processor_type": "SiglipImageProcessor", "do_convert_rgb": None, "do_normalize": True, "do_rescale": True,
     "do_resize": True, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "processor_class": "SiglipProcessor",
     "resample": 3, "rescale_factor": 0.00392156862745098, "size": {"height": 384, "width": 384}},
    {"image_processor_type": "GLPNImageProcessor", "do_rescale": True, "do_resize": True, "size_divisor": 32, "resample": 2},
    {"image_processor_type": "PvtImageProcessor", "size": {"height": 224, "width": 224}},
]


def gradient(width: int, height: int) -> np.ndarray:
    """Colours and alpha that the test makes, too."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    channels = [x * 255 // (width - 1), y * 255 // (height - 1), (x * y * 7) % 256, (x * 3 + y * 5) % 256]
    return np.stack(channels, axis=-1).astype(np.uint8)


def png(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(array).save(out, "PNG", optimize=True)
    return out.getvalue()


def resized(photo: np.ndarray) -> None:
    cases = []
    blob = bytearray()
    for source, array in (("photo", photo), ("gradient", gradient(61, 37))):
        image = Image.fromarray(array)
        for width, height in ((31, 19), (7, 5), (67, 43)) if source == "gradient" else ((29, 23), (13, 119), (150, 5)):
            for name, code in FILTERS.items():
                out = np.asarray(image.resize((width, height), code))
                rows = png(out)
                cases.append({"source": source, "width": width, "height": height, "filter": name,
                              "from": len(blob), "bytes": len(rows)})
                blob += rows
    (TO / "resized.json").write_text("[\n" + ",\n".join(map(json.dumps, cases)) + "\n]\n")
    (TO / "resized.bin").write_bytes(blob)


def processed(photo: np.ndarray) -> None:
    cases = []
    tall = np.ascontiguousarray(photo.transpose(1, 0, 2))
    for config in PROCESSORS:
        name = config.get("image_processor_type") or config["feature_extractor_type"]
        processor = getattr(transformers, name.replace("FeatureExtractor", "ImageProcessor"))(
            **{k: v for k, v in config.items() if not k.endswith("_type")})
        for source, array in (("photo", photo), ("tall", tall)):
            out = processor(Image.fromarray(array), return_tensors="np")["pixel_values"]
            flat = out.astype(np.float32).ravel()
            # A stride that is no multiple of what lengths commonly are.
            step = max(1, flat.size // SAMPLES) | 1
            std = config.get("image_std", [0.5] * 3) if config.get("do_normalize", True) else [1.0]
            cases.append({"config": config, "source": source, "shape": list(out.shape), "step": step,
                          "values": [round(float(v), 4) for v in flat[::step]],
                          "unit": 1.0 / 255 / min(std) * 1.0001})
    (TO / "processed.json").write_text("[\n" + ",\n".join(map(json.dumps, cases)) + "\n]\n")


def precision() -> None:
    """Random scenes with boxes that are moved, missed, doubled and invented."""
    rng = random.Random(7)
    scenes = []
    for _ in range(40):
        truths, found = [], []
        for _ in range(rng.randrange(0, 6)):
            x, y, w, h = rng.randrange(0, 80), rng.randrange(0, 80), rng.randrange(8, 40), rng.randrange(8, 40)
            label = rng.randrange(0, 3)
            truths.append([label, x, y, x + w, y + h])
            for _ in range(rng.choice([0, 1, 1, 1, 2])):
                moved = [v + rng.randrange(-4, 5) for v in (x, y, x + w, y + h)]
                found.append([label if rng.random() < 0.9 else 2 - label, round(rng.random(), 3), *moved])
        if rng.random() < 0.3:
            found.append([rng.randrange(0, 3), round(rng.random(), 3), 5, 5, 30, 40])
        scenes.append({"truths": truths, "found": found})

    def box(x0, y0, x1, y1):
        return [x0, y0, x1 - x0, y1 - y0]

    coco = COCO()
    annotations = [{"image_id": i + 1, "category_id": t[0] + 1, "bbox": box(*t[1:]), "iscrowd": 0,
                    "area": (t[3] - t[1]) * (t[4] - t[2])} for i, s in enumerate(scenes) for t in s["truths"]]
    coco.dataset = {"info": {}, "images": [{"id": i + 1} for i in range(len(scenes))],
                    "categories": [{"id": c + 1} for c in range(3)],
                    "annotations": [{"id": i + 1, **a} for i, a in enumerate(annotations)]}
    coco.createIndex()
    results = coco.loadRes([{"image_id": i + 1, "category_id": d[0] + 1, "score": d[1], "bbox": box(*d[2:])}
                            for i, s in enumerate(scenes) for d in s["found"]])
    judge = COCOeval(coco, results, "bbox")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    said = {"scenes": scenes, "at50": float(judge.stats[1]), "at50To95": float(judge.stats[0])}
    (TO / "precision.json").write_text(json.dumps(said) + "\n")


def main() -> None:
    TO.mkdir(parents=True, exist_ok=True)
    photo = np.ascontiguousarray(data.chelsea()[62:159, 98:229])
    (TO / "photo.png").write_bytes(png(photo))
    resized(photo)
    processed(photo)
    precision()
    print({path.name: path.stat().st_size for path in sorted(TO.iterdir())})


if __name__ == "__main__":
    main()
