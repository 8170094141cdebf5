"""Writes what redaction knows of telephone numbers, from the metadata of libphonenumber (Apache-2.0), as the package
`phonenumbers` has it in the version of requirements.txt:

- src/remote/redact/regions.txt: a line for each region with its code, its calling code, its trunk prefix and what its
  national numbers look like;
- tests/data/phones.tsv: valid numbers of many countries, written in the ways that libphonenumber writes them and as E.164.

With `--check` nothing is written: the exit code says whether both files are what would be written."""

import pathlib
import random
import re
import sys

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumberFormat, PhoneNumberType

ROOT = pathlib.Path(__file__).resolve().parents[2]
REGIONS = ROOT / "src/remote/redact/regions.txt"
PHONES = ROOT / "tests/data/phones.tsv"

HEAD = f"""# What national telephone numbers look like, by region: made by tests/reference/phone_regions.py from the metadata of
# libphonenumber (Apache-2.0, Copyright The Libphonenumber Authors) in the Python package phonenumbers {phonenumbers.__version__}.
# Region, calling code, trunk prefix (- for none, ? behind it where numbers are written without it, too), and the numbers
# without it: d is any digit, [..] one of these, (..|..) one of these, {{n,m}} and ? repeat what is before them.
"""

# Countries whose numbers are tested: on all continents, with all kinds of trunk prefixes.
COUNTRIES = (
    "AR AT AU BE BR BY CA CH CN CZ DE DK EG ES FI FR GB GR HU ID IE IL IN IR IT JP KE KR MX MY NG NL NO NZ PL PT RO RU SA SE "
    "SG TH TR UA US VN ZA"
).split()

EACH = 12

# Where people leave the trunk prefix out though libphonenumber writes it.
WITHOUT_TRUNK = {"IN"}

# What is dialled before a number in the country, where it is more than the metadata's prefix.
TRUNK = {"BY": "80"}

# Numbers as they are written in the country only: of mobiles in Argentina, a 15 comes behind the area code.
MORE = {"AR": "(11|[23]d{2,3})15d{6,8}"}


def condensed(pattern):
    return pattern.replace("(?:", "(").replace("\\d", "d")


def bare(text):
    return re.sub(r"\D", "", text)


def national(number):
    return phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)


def trunk(region, metadata):
    """The trunk prefix, and whether libphonenumber writes some numbers without it."""
    prefix = TRUNK.get(region, metadata.national_prefix)
    if not prefix:
        return "-"
    if region in WITHOUT_TRUNK:
        return prefix + "?"
    for kind in (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE):
        number = phonenumbers.example_number_for_type(region, kind)
        if number and bare(national(number)) == phonenumbers.national_significant_number(number):
            return prefix + "?"
    return prefix


def regions():
    lines = []
    codes = sorted(phonenumbers.SUPPORTED_REGIONS)
    for region in codes:
        metadata = PhoneMetadata.metadata_for_region(region)
        pattern = condensed(metadata.general_desc.national_number_pattern)
        if region in MORE:
            pattern += "|" + MORE[region]
        assert re.fullmatch(r"[d0-9()|?{},\[\]-]+", pattern), (region, pattern)
        lines.append(f"{region} {metadata.country_code} {trunk(region, metadata)} {pattern}")
    for code in sorted(phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS):
        metadata = PhoneMetadata.metadata_for_nongeo_region(code)
        lines.append(f"001 {code} - {condensed(metadata.general_desc.national_number_pattern)}")
    lines.sort(key=lambda line: (line.split(" ")[1], line))
    return HEAD + "\n".join(lines) + "\n"


def phones():
    """Valid landline and mobile numbers: examples with their last digits drawn anew."""
    draw = random.Random(14)
    rows = ["# region, E.164, international, national: made by tests/reference/phone_regions.py"]
    for region in COUNTRIES:
        seen = set()
        for kind in (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE):
            example = phonenumbers.example_number_for_type(region, kind)
            digits = phonenumbers.national_significant_number(example)
            code = phonenumbers.country_code_for_region(region)
            made = 0
            for _ in range(2000):
                kept = draw.randrange(1, len(digits) - 3)
                tail = "".join(draw.choice("0123456789") for _ in digits[kept:])
                number = phonenumbers.parse(f"+{code}{digits[:kept]}{tail}", None)
                if str(number) in seen or phonenumbers.number_type(number) not in (
                    kind,
                    PhoneNumberType.FIXED_LINE_OR_MOBILE,
                ):
                    continue
                if phonenumbers.region_code_for_number(number) != region:
                    continue
                seen.add(str(number))
                form = phonenumbers.format_number
                rows.append(
                    "\t".join(
                        [
                            region,
                            form(number, PhoneNumberFormat.E164),
                            form(number, PhoneNumberFormat.INTERNATIONAL),
                            national(number),
                        ]
                    )
                )
                made += 1
                if made == EACH:
                    break
    return "\n".join(rows) + "\n"


stale = False
for path, text in ((REGIONS, regions()), (PHONES, phones())):
    if "--check" in sys.argv:
        if not path.exists() or path.read_text() != text:
            print(f"{path.relative_to(ROOT)} is not what phonenumbers {phonenumbers.__version__} gives")
            stale = True
    else:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
sys.exit(stale)
