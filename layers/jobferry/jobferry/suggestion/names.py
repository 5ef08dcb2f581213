"""Decide by the name of a column, which no job feed is known to use, whether its values may show which field it is."""

import re
from typing import Final

from jobferry.jobs.synonyms import bare_name

#: Parts of the names of columns that are not about the job itself.
_ABOUT_OTHERS: Final = (
    "agency", "apply", "benefit", "bill", "bonus", "client", "clos", "comment", "compact", "company", "contact", "corp",
    "country", "cpa", "cpc", "created", "customer", "disclaim", "eeo", "email", "employer", "expir", "footer", "home", "internal",
    "intro", "invoice", "legal", "licen", "link", "logo", "mail", "manager", "modified", "note", "office", "owner", "payroll",
    "phone", "posted", "qualif", "recruiter", "require", "respons", "skill", "source", "status", "stipend", "updated", "url",
    "user", "vendor",
)  # fmt: skip
#: For some fields, parts of names that fit them.
_HINTS: Final = {
    "state": ("state", "prov", "region"),
    "postalCode": ("zip", "post"),
    "license": ("licen", "cred", "prof", "discipl", "degree", "certif"),
    "specialty": ("spec", "categ", "depart", "discipl", "service"),
    "employmentType": ("type", "employ", "engag", "contract"),
    "payFrequency": ("per", "freq", "unit"),
    "description": ("desc", "text", "html", "content", "detail", "advert"),
    "title": ("title", "name", "heading", "headline", "position", "role", "text", "subject"),
}
#: Names that say nothing: few letters, no vowels, or a general word with a number.
_CODED: Final = re.compile(
    r".{1,3}|[^aeiou]+|(?:[a-z]{1,3}|col|column|field|attr|attribute|custom|customfield|customtext|custominteger|"
    r"customdate|udf|userfield|text|value|var|data|item|unnamed)[0-9]+"
)


def may_be(name: str, field: str) -> bool:
    """Decide whether a column's values may show that it is a field: its name says nothing, or fits the field."""
    bare = bare_name(name)
    if _CODED.fullmatch(bare):
        return True
    hints = _HINTS.get(field, ())
    return any(hint in bare for hint in hints) and not any(word in bare for word in _ABOUT_OTHERS if word not in hints)
