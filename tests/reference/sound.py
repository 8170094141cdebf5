"""What other libraries make of sounds, for the tests of crates/sound: sound.py COMMAND VOICES OUT.

    features   transformers' feature extractors, on a made sound and on recordings
    machine    silero-vad's segments and events of made probabilities
    segments   silero-vad's segments of recordings, by onnxruntime
    resample   soxr's and scipy's resampling of recordings
    files      small files in the formats that the feature `decode` reads, by FFmpeg's libraries

VOICES is the folder that voices.py made; OUT is tests/fixtures/sound, and target/sound for `resample`, whose samples are too
many for the repository. Packages: requirements-sound.txt. silero-vad's Python and that of one extractor handle arrays by torch,
of which they need so little that numpy stands for it here: torch itself brings gigabytes.
"""

import contextlib
import importlib.util
import json
import subprocess
import sys
import types
import wave
from pathlib import Path

import numpy as np

LANGUAGES = ["en", "es", "fr", "it", "ru"]
PER_LANGUAGE = 24
# The options of the second pass over the recordings: all of them matter there.
OTHER = {
    "threshold": 0.6,
    "neg_threshold": 0.3,
    "min_speech_duration_ms": 100,
    "min_silence_duration_ms": 220,
    "speech_pad_ms": 120,
    "max_speech_duration_s": 3.0,
}


class Tensor(np.ndarray):
    """The methods of torch's tensors that are called."""

    dim = property(lambda self: lambda: self.ndim)

    def unsqueeze(self, axis):
        return np.expand_dims(self, axis).view(Tensor)

    def float(self):
        return self.astype(np.float32)

    def numpy(self):
        return np.asarray(self)


def stand_in() -> types.ModuleType:
    """The functions of torch that are called."""
    torch = types.ModuleType("torch")
    of = lambda array: np.asarray(array, np.float32).view(Tensor)
    torch.Tensor = of
    torch.from_numpy = lambda array: array.view(Tensor)
    torch.is_tensor = lambda value: isinstance(value, Tensor)
    torch.zeros = lambda *shape: of(np.zeros(shape[0] if isinstance(shape[0], tuple) else shape))
    torch.cat = lambda parts, dim: np.concatenate(parts, dim).view(Tensor)
    torch.device = lambda name: name
    torch.no_grad = type("no_grad", (contextlib.ContextDecorator,), {"__enter__": lambda s: s, "__exit__": lambda *a: False})
    pad = lambda x, sides, *_: np.pad(x, [(0, 0)] * (x.ndim - 1) + [sides]).view(Tensor)
    torch.nn = types.SimpleNamespace(
        functional=types.SimpleNamespace(pad=pad),
        ZeroPad2d=lambda sides: lambda x: np.pad(x, [sides[2:], sides[:2]]).view(Tensor),
    )
    return torch


def silero():
    """silero-vad's own functions, and the folder of its models."""
    folder = Path(importlib.util.find_spec("silero_vad").origin).parent
    sys.modules["torch"] = stand_in()
    spec = importlib.util.spec_from_file_location("utils_vad", folder / "utils_vad.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    del sys.modules["torch"]
    return module, folder / "data"


def read(path: Path) -> tuple[np.ndarray, int]:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2), path
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return samples.astype(np.float32) / 32768, file.getframerate()


def write(path: Path, samples: np.ndarray, rate: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.round(samples * 32767).astype("<i2").tobytes())


def recordings(voices: Path) -> list[Path]:
    """Some prompts of each language, evenly over the names, and all music."""
    found = []
    for language in LANGUAGES:
        paths = sorted((voices / f"asterisk-core-sounds-{language}-wav").glob("*.wav"))
        # The pauses of some seconds that are made for dial plans are nobody's voice, nor are tones.
        paths = [p for p in paths if not any(w in p.name for w in ("silence", "beep", "tone", "ring"))]
        found += paths[:: len(paths) // PER_LANGUAGE][:PER_LANGUAGE]
    return found + sorted((voices / "asterisk-moh-opsound-wav").glob("*.wav"))


def quiet(voices: Path) -> list[Path]:
    """The recordings without a voice: silence, beeps and tones."""
    paths = sorted(voices.glob("asterisk-core-sounds-*-wav/*.wav"))
    return [p for p in paths if "__silence__" in p.name or p.stem.endswith(("__beep", "__beeperr", "-2tone"))]


def made(rate: int = 16000, seconds: float = 1.5) -> np.ndarray:
    """Pulses through resonances, a rising tone and a hiss, with real silence between."""
    random = np.random.default_rng(20)
    time = np.arange(int(rate * seconds)) / rate
    pulses = (np.diff(np.floor(np.cumsum(110 + 30 * np.sin(9 * time)) / rate), prepend=0) > 0).astype(float)
    voice = np.zeros_like(time)
    for hertz, width in ((650, 80), (1100, 90), (2500, 120)):
        ring = np.exp(-width * np.pi * time[:800]) * np.sin(2 * np.pi * hertz * time[:800])
        voice += np.convolve(pulses, ring)[: len(time)]
    tone = np.sin(2 * np.pi * (200 * time + 2300 * time**2))
    hiss = random.normal(size=len(time))
    sound = np.where(time < 0.5, 0.12 * voice, np.where(time < 0.6, 0, np.where(time < 1.0, 0.3 * tone, 0.02 * hiss)))
    return np.clip(sound, -0.99, 0.99)


def features(voices: Path, out: Path) -> None:
    """Numbers as 16-bit integers of 1e-4; of the made sound every second frame, of recordings every eighth, of samples every 16th."""
    from transformers import Wav2Vec2FeatureExtractor, WhisperFeatureExtractor

    # The package hides this class where there is no torch, which is called to pad only: so its file is loaded by itself.
    folder = Path(importlib.util.find_spec("transformers").origin).parent / "models/audio_spectrogram_transformer"
    name = "transformers.models.audio_spectrogram_transformer.alone"
    spec = importlib.util.spec_from_file_location(name, folder / "feature_extraction_audio_spectrogram_transformer.py")
    ast = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(ast)
    ast.torch = stand_in()
    extractors = {
        "wav2vec2": (Wav2Vec2FeatureExtractor(), "input_values"),
        "whisper-80": (WhisperFeatureExtractor(), "input_features"),
        "whisper-128": (WhisperFeatureExtractor(feature_size=128), "input_features"),
        "ast": (ast.ASTFeatureExtractor(), "input_values"),
    }
    write(out / "made.wav", made(), 16000)
    sounds = {"made": out / "made.wav"}
    for path in (recordings(voices)[3], recordings(voices)[99], recordings(voices)[-1]):
        sounds[f"{path.parent.name}/{path.name}"] = path
    cases, numbers = [], []
    for sound, path in sounds.items():
        samples, rate = read(path)
        # Recordings are at 8 kHz; taken as 16 kHz they are as good a sound, and no resampling stands between.
        samples = samples[: 16000 * 4]
        for name, (extractor, key) in extractors.items():
            found = extractor(samples, sampling_rate=16000, return_tensors="np")[key]
            found = np.asarray(found, np.float32)
            step = 2 if sound == "made" else 8
            kept = {
                "wav2vec2": lambda: found[0, ::16],
                "ast": lambda: found[0, : len(samples) // 160 : step, :],
            }.get(name, lambda: found[0, :, : len(samples) // 160 + 2 : step])()
            scaled = np.round(kept * 1e4 / (10 if name == "wav2vec2" else 1))
            assert np.abs(scaled).max() < 32768, (sound, name)
            numbers.append(scaled.astype("<i2").ravel())
            config = json.loads(extractor.to_json_string())
            last = float(found.ravel()[-1])
            cases.append({"sound": sound, "extractor": name, "config": config, "shape": found.shape, "kept": kept.shape, "last": last})
    (out / "features.json").write_text(json.dumps(cases, indent=1) + "\n")
    (out / "features.i16").write_bytes(np.concatenate(numbers).tobytes())
    print(f"{len(cases)} cases, {sum(map(len, numbers))} numbers")


def probabilities(seed: int, count: int) -> list[float]:
    """A walk of hundredths, the same as in src/voice/tests.rs."""
    state, level, walk = seed, 50, []
    for _ in range(count):
        state = (state * 1103515245 + 12345) % 2**31
        # Steps of five different sizes, so that there are long and short stretches.
        reach = 5 + 10 * (seed % 5)
        level = min(max(level + (state >> 16) % (2 * reach + 1) - reach, 0), 100)
        walk.append(float(np.float32(level) / np.float32(100)))
    return walk


def machine(_: Path, out: Path) -> None:
    module, _ = silero()
    options = [
        {},
        OTHER,
        {"min_silence_duration_ms": 0, "min_speech_duration_ms": 0, "speech_pad_ms": 0},
        {"max_speech_duration_s": 1.0},
        {"max_speech_duration_s": 2.5, "min_silence_duration_ms": 400, "speech_pad_ms": 200},
        {"threshold": 0.05, "speech_pad_ms": 500},
    ]
    cases = []
    for seed in range(1, 61):
        rate, given = (16000, 8000)[seed % 2], options[seed % len(options)]
        walk = probabilities(seed, 300)
        length = 300 * (512 if rate == 16000 else 256) - seed
        found = module.get_speech_timestamps_from_probs(walk, sampling_rate=rate, audio_length_samples=length, **given)
        feed = iter(walk)
        model = lambda *_: np.float32(next(feed))
        model.reset_states = lambda: None
        allowed = ("threshold", "min_silence_duration_ms", "speech_pad_ms")
        live = module.VADIterator(model, sampling_rate=rate, **{k: v for k, v in given.items() if k in allowed})
        window = np.zeros(512 if rate == 16000 else 256, np.float32).view(Tensor)
        events = [event for event in (live(window) for _ in walk) if event]
        segments = [[s["start"], s["end"]] for s in found]
        cases.append({"seed": seed, "rate": rate, "options": given, "length": length, "segments": segments, "events": events})
    (out / "machine.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
    print(f"{len(cases)} cases, {sum(len(case['segments']) for case in cases)} segments")


def segments(voices: Path, out: Path) -> None:
    import soxr

    module, data = silero()
    model = module.OnnxWrapper(str(data / "silero_vad.onnx"))
    rows = []
    for kind, paths in (("voice", recordings(voices)), ("quiet", quiet(voices))):
        for path in paths:
            samples, rate = read(path)
            assert rate == 8000
            row = {"file": f"{path.parent.name}/{path.name}", "kind": "music" if "moh" in path.parent.name else kind}
            # Minutes of music tell no more than its first one.
            samples = samples[: rate * 60]
            higher = soxr.resample(samples, rate, 16000, quality="VHQ").astype(np.float32)
            for name, sound, at, given in (
                ("at8k", samples, 8000, {}),
                ("at8kOther", samples, 8000, OTHER),
                ("at16k", higher, 16000, {}),
            ):
                tensor = np.array(sound, np.float32).view(Tensor)
                found = module.get_speech_timestamps(tensor, model, sampling_rate=at, **given)
                row[name] = [[int(s["start"]), int(s["end"])] for s in found]
            rows.append(row)
    (out / "segments.json").write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
    print(f"{len(rows)} recordings, {sum(len(row['at16k']) for row in rows)} segments at 16 kHz")


def resample(voices: Path, out: Path) -> None:
    import soxr
    from math import gcd
    from scipy.signal import resample_poly

    out.mkdir(parents=True, exist_ok=True)
    listed = []
    for number, path in enumerate(recordings(voices)[::25]):
        samples, rate = read(path)
        samples = samples[: rate * 5]
        for source in (8000, 11025, 22050, 44100, 48000, 96000):
            there = samples if source == rate else soxr.resample(samples, rate, source, quality="VHQ").astype(np.float32)
            # Where filters begin to stop differs; below that they should agree. Twice through a lower rate leaves that only.
            lower = int(0.8 * min(source, 16000))
            low = soxr.resample(soxr.resample(there, source, lower, quality="VHQ"), lower, source, quality="VHQ")
            common = gcd(source, 16000)
            for band, sound in (("all", there), ("low", low.astype(np.float32))):
                name = f"{number}-{source}-{band}"
                sound.astype("<f4").tofile(out / f"{name}.in")
                for quality in ("HQ", "VHQ"):
                    soxr.resample(sound, source, 16000, quality=quality).astype("<f4").tofile(out / f"{name}.soxr-{quality}")
                poly = resample_poly(sound.astype(float), 16000 // common, source // common)
                poly.astype("<f4").tofile(out / f"{name}.scipy")
                listed.append({"name": name, "band": band, "rate": source})
    (out / "resample.json").write_text(json.dumps(listed))
    print(f"{len(listed)} sounds")


def files(_: Path, out: Path) -> None:
    """A tone of 440 Hz, an eighth of a second; left at half its height, right at a quarter."""
    import av

    rate = 16000
    tone = np.sin(2 * np.pi * 440 * np.arange(rate // 8) / rate)
    both = np.stack([tone / 2, tone / 4]).astype(np.float32)
    for name, codec, form in (
        ("tone.mp3", "libmp3lame", "fltp"),
        ("tone.flac", "flac", "s16"),
        ("tone.m4a", "aac", "fltp"),
        ("tone-8.wav", "pcm_u8", "u8"),
        ("tone-24.wav", "pcm_s24le", "s32"),
    ):
        with av.open(str(out / name), "w") as container:
            stream = container.add_stream(codec, rate=rate, layout="stereo")
            stream.bit_rate = 64000
            frame = av.AudioFrame.from_ndarray(both, format="fltp", layout="stereo")
            frame.sample_rate = rate
            resampler = av.AudioResampler(format=form, layout="stereo", rate=rate)
            fifo = av.AudioFifo()
            for part in resampler.resample(frame) + resampler.resample(None):
                fifo.write(part)
            size = stream.codec_context.frame_size or 1024
            while (part := fifo.read(size, partial=True)) is not None:
                container.mux(stream.encode(part))
            container.mux(stream.encode(None))
        print(name, (out / name).stat().st_size)
    # Xiph's own encoder, of Debian's vorbis-tools: what these libraries write as Vorbis ends early.
    subprocess.run(["oggenc", "-Q", "-s", "1", "-o", str(out / "tone.ogg"), str(out / "tone-24.wav")], check=True)


if __name__ == "__main__":
    command, voices, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    {"features": features, "machine": machine, "segments": segments, "resample": resample, "files": files}[command](voices, out)
