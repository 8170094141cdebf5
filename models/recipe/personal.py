"""Sentences with personal data, whose places are known because it was put there.

The sentences are the templates of presidio-evaluator, and the people those of its table of FakeNameGenerator. They are made up,
not collected: what a model finds in them says how it does on sentences like these. Each template comes once, with a person of
its own, so that no two rows have a sentence in common.
"""

import csv
import io
import re

RAW = "presidio_evaluator/data_generator/raw_data/"
SLOT = re.compile(r"\{\{(\w+)\}\}")
STREET = re.compile(r"(\d+[A-Za-z]?)\s+(.+)|(.+?)\s+(\d+[A-Za-z]?)")

GIVEN, SURNAME = ("GIVEN_NAME", "GivenName"), ("SURNAME", "Surname")
# What stands in a slot: columns of the table, each with the model's name of it.
SLOTS = {
    "email": [("EMAIL", "EmailAddress")],
    "phone_number": [("PHONE", "TelephoneNumber")],
    "city": [("CITY", "City")],
    "zipcode": [("ZIP_CODE", "ZipCode")],
    "postcode": [("ZIP_CODE", "ZipCode")],
    "state_abbr": [("STATE", "State")],
    "url": [("URL", "Domain")],
    "street_name": [("STREET_NAME", "street")],
    "building_number": [("BUILDING_NUMBER", "building")],
    "address": [("BUILDING_NUMBER", "building"), ("STREET_NAME", "street"), ("CITY", "City"), ("ZIP_CODE", "ZipCode")],
}
# These are nobody's, or the redactor finds them by their form.
PLAIN = {
    "organization": "Company",
    "country": "CountryFull",
    "age": "Age",
    "job": "Occupation",
    "credit_card_number": "card",
    "iban": "iban",
    "ip_address": "ip",
    "year": "year",
}
FIXED = {"card": "4111 1111 1111 1111", "iban": "DE89 3704 0044 0532 0130 00", "ip": "192.0.2.17"}


def people(table: bytes) -> list[dict[str, str]]:
    """Those of whom everything is there."""
    found = []
    for row in csv.DictReader(io.StringIO(table.decode("utf-8-sig"))):
        street = STREET.fullmatch(row["StreetAddress"].strip())
        if street is None or not row["GivenName"] or not row["Surname"] or not row["ZipCode"]:
            continue
        building, name = (street[1], street[2]) if street[1] else (street[4], street[3])
        found.append({**row, **FIXED, "building": building, "street": name, "year": row["Birthday"][-4:]})
    return found


def parts(slot: str) -> list[tuple[str | None, str]] | None:
    """What a slot is filled with; nothing where the table has no such thing."""
    if slot in SLOTS:
        return SLOTS[slot]
    if slot in PLAIN:
        return [(None, PLAIN[slot])]
    if slot.startswith("first_name"):
        return [GIVEN]
    if slot.startswith("last_name"):
        return [SURNAME]
    if slot == "person" or slot == "name" or slot.startswith("name_"):
        return [GIVEN, SURNAME]
    return None


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def filled(template: str, person: dict[str, str]) -> dict | None:
    text, spans = "", []
    at = 0
    for slot in SLOT.finditer(template):
        text += template[at : slot.start()]
        at = slot.end()
        wanted = parts(slot[1])
        if wanted is None:
            return None
        for n, (label, column) in enumerate(wanted):
            value = person[column].strip()
            if not value:
                return None
            text += (" " if n else "") if column != "City" or not n else ", "
            if label is not None:
                spans.append({"label": label, "start": utf16(text), "end": utf16(text) + utf16(value), "text": value})
            text += value
    text += template[at:]
    return {"input": text, "label": spans}


def rows(templates: bytes, table: bytes) -> list[dict]:
    """A row for each template that can be filled, each with the next person."""
    everyone = people(table)
    found = []
    for n, template in enumerate(templates.decode().splitlines()):
        template = template.replace("\\n", "\n").strip()
        # A step through the table that meets all countries in turn.
        row = filled(template, everyone[n * 13 % len(everyone)]) if template else None
        if row is not None:
            found.append(row)
    return found
