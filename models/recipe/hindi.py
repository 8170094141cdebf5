"""Hindi in Latin letters as people type it in chats: "namaste aap kaise hain", not "namastē āpa kaisē haiṁ".

There is no one such spelling, and no package writes one: transliterators keep every inherent vowel and tell lengths
apart by marks. The rules here leave out the vowels that are not spoken (Choudhury et al. 2004, "A Diachronic Approach
for Schwa Deletion in Indo Aryan Languages", gives the same two rules), and double a long vowel only where readers would
take the word for another: at its beginning, and in a word of one syllable that ends in a consonant.
"""

import re
import unicodedata

CONSONANTS = dict(zip(
    "क ख ग घ ङ च छ ज झ ञ ट ठ ड ढ ण त थ द ध न प फ ब भ म य र ल व श ष स ह ळ".split(),
    "k kh g gh n ch chh j jh n t th d dh n t th d dh n p ph b bh m y r l v sh sh s h l".split(),
    strict=True,
))  # fmt: skip
# Letters with a dot below.
DOTTED = {"क": "q", "ख": "kh", "ग": "g", "ज": "z", "ड": "d", "ढ": "dh", "फ": "f", "य": "y", "र": "r", "न": "n"}
VOWELS = dict(zip("अआइईउऊऋएऐओऔऍऑऎऒ", "a A i I u U ri e ai o au e o e o".split(), strict=True))
SIGNS = dict(zip("ािीुूृेैोौॅॉॆॊ", "A i I u U ri e ai o au e o e o".split(), strict=True))
NUKTA, VIRAMA, NASAL, VISARGA = "़", "्", "ंँ", "ः"
# A vowel that is only there because no sign says otherwise.
INHERENT = "ə"
# How people spell the words that the rules miss and that no text is without.
USUAL = {
    "में": "mein", "मैं": "main", "यह": "yeh", "वह": "woh", "नहीं": "nahi", "हूँ": "hoon", "हूं": "hoon", "यहाँ": "yahan",
    "ये": "ye", "वे": "ve", "क्यों": "kyun", "बहुत": "bahut", "कह": "keh", "रह": "reh", "पहले": "pehle", "कहते": "kehte",
    "रहते": "rehte", "न": "na", "व": "va",
}  # fmt: skip
# What the rules have to make of these, so that a change of them is seen.
EXAMPLES = {
    "नमस्ते, आप कैसे हैं?": "namaste, aap kaise hain?",
    "मुझे बहुत अच्छा नहीं लग रहा था।": "mujhe bahut achha nahi lag raha tha.",
    "लड़की पढ़ना चाहती है, इसलिए जाएगी": "ladki padhna chahti hai, isliye jayegi",
    "विद्यार्थियों को तीन दिन ज़रूरत": "vidyarthiyon ko teen din zarurat",
    "हिंदी, मुंबई, कृष्ण, ज्ञान, दूध, बच्चे, वाला": "hindi, mumbai, krishna, gyan, doodh, bachche, wala",
}
# Digits and full stops, and nothing for the joiners that only shape letters.
PLAIN = str.maketrans("०१२३४५६७८९।॥", "0123456789..", "\u200c\u200d")
WORD = re.compile("[\u0900-\u0963\u0970-\u097f]+")


def romanised(text: str) -> str:
    """The text with every Devanagari word in Latin letters."""
    return WORD.sub(lambda found: _word(found[0]), text.translate(PLAIN))


def check() -> None:
    """Raises where the rules no longer spell the examples as people do."""
    for text, expected in EXAMPLES.items():
        if romanised(text) != expected:
            raise ValueError(f"{text} became {romanised(text)}, not {expected}")


def _word(word: str) -> str:
    word = unicodedata.normalize("NFD", word)  # a letter with a dot below becomes two characters
    return USUAL.get(word) or _spelt(_without_schwas(_sounds(word)))


def _sounds(word: str) -> list[str]:
    """Consonants and vowels by turns as they come; capitals are long vowels."""
    sounds: list[str] = []
    pending = False  # whether the last consonant still waits for its vowel
    for at, letter in enumerate(word):
        after = word[at + 1] if at + 1 < len(word) else ""
        if letter in CONSONANTS:
            sounds += [INHERENT] if pending else []
            if word[at : at + 3] == "ज" + VIRAMA + "ञ":
                sounds.append("g")  # jñ is said gy
            elif letter == "ञ" and word[at - 2 : at] == "ज" + VIRAMA:
                sounds.append("y")
            elif letter == "व" and not sounds and after in ("ा", NUKTA, "क"):
                sounds.append("w")  # wala, waqt
            else:
                sounds.append(DOTTED.get(letter, CONSONANTS[letter]) if after == NUKTA else CONSONANTS[letter])
            pending = True
        elif letter == VIRAMA:
            pending = False
        elif letter in SIGNS or letter in VOWELS:
            sounds += [INHERENT] if pending and letter in VOWELS else []
            sounds.append(SIGNS.get(letter) or VOWELS[letter])
            pending = False
        elif letter in NASAL:
            sounds += [INHERENT] if pending else []
            sounds.append("m" if after and after in "पफबभम" else "n")
            # A nasal has no vowel of its own.
            pending = False
        elif letter == VISARGA:
            sounds += [INHERENT] if pending else []
            pending = False
    return sounds + ([INHERENT] if pending else [])


def _is_vowel(sound: str) -> bool:
    return sound[0] in "aAiIuUeo" + INHERENT or sound == "ri"


def _without_schwas(sounds: list[str]) -> list[str]:
    """Leaves out the inherent vowels that are not spoken: the last, and, from the end, those between vowel-consonant
    and consonant-vowel."""
    vowels = sum(map(_is_vowel, sounds))
    if sounds[-1:] == [INHERENT] and vowels > 1:
        # After two consonants it is heard a little: Krishna, rajya.
        heard = len(sounds) > 3 and not _is_vowel(sounds[-3]) and sounds[-2] in ("y", "v", "n", "m")
        sounds = [*sounds[:-1], "a"] if heard else sounds[:-1]
    kept = list(sounds)
    for at in range(len(kept) - 3, 1, -1):
        around = kept[at - 2 : at + 3]
        if kept[at] == INHERENT and len(around) == 5 and list(map(_is_vowel, around)) == [True, False, True, False, True]:
            del kept[at]
    return kept


def _spelt(sounds: list[str]) -> str:
    closed = sum(map(_is_vowel, sounds)) == 1 and not _is_vowel(sounds[-1]) and sounds[-1] != "n"
    nasal = sum(map(_is_vowel, sounds)) == 1 and sounds[-1:] == ["n"]
    spelt = []
    for at, sound in enumerate(sounds):
        double = {"A": "aa", "I": "ee", "U": "oo"}.get(sound)
        short = {"A": "a", "I": "i", "U": "u", INHERENT: "a"}.get(sound, sound)
        begins = sound == "A" and at == 0
        spelt.append(double if double and (closed or begins or (nasal and len(sounds) > 2 and sound != "A")) else short)
        # Between an open vowel and an e a y is written: liye, jayenge.
        spelt += ["y"] if sound in "aAiI" and sounds[at + 1 : at + 2] == ["e"] else []
    return "".join(spelt).replace("chchh", "chh")
