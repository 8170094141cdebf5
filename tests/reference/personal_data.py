"""Where other libraries see personal data: for each line `{"input": text}`, the spans as `[[kind, start, end], …]` in
characters. Telephone numbers by libphonenumber (PHONE as if written in the United States, ABROAD as if written in one of the
other countries that these mails name numbers of), e-mail addresses by email-validator, and IP addresses by the standard library,
of the words that look like one at all."""

import ipaddress
import json
import re
import sys

import phonenumbers
from email_validator import EmailNotValidError, validate_email

ABROAD = ("GB", "IE", "FR", "DE", "CN", "HK")

# Words, without the punctuation that people put around them.
WORD = re.compile(r"[^\s<>()\[\]{}\"',;|*=?&!/]+")


def words(text):
    for match in WORD.finditer(text):
        start, end = match.span()
        for prefix in ("mailto:", "MAILTO:"):
            if match.group().startswith(prefix):
                start += len(prefix)
        while end > start and text[end - 1] in ".:-":
            end -= 1
        while end > start and text[start] in ".:-":
            start += 1
        yield start, end, text[start:end]


def spans(text):
    found = []
    for start, end, word in words(text):
        if "@" in word:
            try:
                validate_email(word, check_deliverability=False)
                found.append(["EMAIL", start, end])
            except EmailNotValidError:
                pass
        elif word.count(".") == 3 or word.count(":") > 1:
            # The port is none of the address.
            word = re.sub(r"^([0-9.]+):[0-9]+$", r"\1", word)
            end = start + len(word)
            try:
                ipaddress.ip_address(word)
                found.append(["IP", start, end])
            except ValueError:
                pass
    for match in phonenumbers.PhoneNumberMatcher(text, "US"):
        found.append(["PHONE", match.start, match.end])
    for region in ABROAD:
        for match in phonenumbers.PhoneNumberMatcher(text, region):
            found.append(["ABROAD", match.start, match.end])
    return found


for line in sys.stdin:
    print(json.dumps(spans(json.loads(line)["input"])))
