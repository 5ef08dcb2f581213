"""Licenses and specialties that nearly match a board's list: only what certainly means the same."""

import re
from collections.abc import Collection, Iterable
from typing import Final

from jobferry.jobs.vocabulary import LISTED_TERMS, Vocabulary

_AND: Final = re.compile(r"[&/+]")
_MARKS: Final = re.compile(r"[^a-z0-9]+")

#: Other names of terms, for each field. A term counts only if the board lists it.
_OTHER_NAMES: Final = {
    "license": {
        "MD": ("Doctor of Medicine", "Medical Doctor"),
        "DO": ("Doctor of Osteopathy", "Doctor of Osteopathic Medicine"),
        "PA": ("PA-C", "Physician Assistant", "Physician Associate"),
        "NP": ("Nurse Practitioner", "FNP"),
        "CRNA": ("Certified Registered Nurse Anesthetist", "Nurse Anesthetist"),
        "CAA": ("Anesthesiologist Assistant", "Certified Anesthesiologist Assistant"),
        "RN": ("Registered Nurse",),
        "LPN / LVN": ("LPN", "LVN", "Licensed Practical Nurse", "Licensed Vocational Nurse"),
        "CNA": ("Certified Nursing Assistant", "Certified Nurse Assistant", "Certified Nurse Aide"),
    },
    "specialty": {
        "Anesthesiology": ("Anesthesia",),
        "Emergency Medicine": ("EM", "Emergency", "Emergency Room", "Emergency Department"),
        "Family Practice": ("FP", "Family Medicine", "Family Med"),
        "Gastroenterology": ("GI",),
        "Hematology and Oncology": ("Hem/Onc", "Heme/Onc", "Hematology Oncology"),
        "Hospitalist": ("Hospital Medicine", "Hospitalist Medicine"),
        "Infectious Disease": ("Infectious Diseases", "ID"),
        "Internal Medicine": ("IM", "Internal Med"),
        "Maternal-Fetal Medicine": ("MFM", "Maternal and Fetal Medicine"),
        "Neonatal": ("Neonatology",),
        "Obstetrics and Gynecology": ("OB/GYN", "OBGYN", "OB-GYN", "Obstetrics Gynecology"),
        "Orthopedic Surgery": ("Orthopedics",),
        "Otolaryngology": ("ENT", "Ear, Nose and Throat"),
        "Pediatrics": ("Peds",),
        "Physical Medicine": ("PM&R", "Physiatry", "Physical Medicine and Rehabilitation"),
        "Pulmonology": ("Pulmonary Medicine", "Pulmonary Disease"),
        "Radiology": ("Diagnostic Radiology",),
        "Cardiac Electrophysiology": ("Electrophysiology",),
        "Cardio - Interventional": ("Interventional Cardiology",),
        "General Surgery": ("Surgery - General",),
    },
}


def _plain(term: str) -> str:
    """Return what counts in a term: its letters in American spelling, and a slash as the word and."""
    return _MARKS.sub("", _AND.sub(" and ", term.casefold()).replace("ae", "e"))


_TERM_OF: Final = {
    field: {_plain(name): term for term, names in terms.items() for name in names}
    for field, terms in _OTHER_NAMES.items()
}


class Terms:
    """The lists of one board, or of all boards."""

    def __init__(self, vocabularies: Iterable[Vocabulary] = LISTED_TERMS.values()) -> None:
        self._listed: dict[str, frozenset[str]] = {}
        for vocabulary in vocabularies:
            for field, terms in vocabulary.items():
                self._listed[field] = self._listed.get(field, frozenset()) | terms
        self._by_plain_name = {field: {_plain(term): term for term in terms} for field, terms in self._listed.items()}

    def listed(self, field: str) -> Collection[str]:
        """Return the terms for a field."""
        return self._listed.get(field, ())

    def find(self, field: str, value: str) -> str | None:
        """Return the listed term that a value means; None if none certainly does."""
        plain = _plain(value)
        term = self._by_plain_name.get(field, {}).get(plain) or _TERM_OF.get(field, {}).get(plain)
        return term if term in self.listed(field) else None
