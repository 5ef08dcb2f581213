"""The state codes, and the licenses and specialties that each board documents.

A state outside the list is an error, because the board refuses it. A license or specialty outside its list is only a
warning: the lists are incomplete, and an account may have mapped a term of its own. A list belongs to one board, so
nothing is warned about on a board whose lists are not known.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from jobferry.jobs.warnings import MAX_QUOTED, RowWarning, quoted

#: For fields of a job, the terms that a board documents.
type Vocabulary = Mapping[str, frozenset[str]]

NOTHING_LISTED: Final[Vocabulary] = {}

#: USPS Publication 28, appendix B: states, DC, territories, freely associated states, military.
STATES: Final = {
    "AL": "Alabama", "AK": "Alaska", "AZ": "Arizona", "AR": "Arkansas", "CA": "California", "CO": "Colorado",
    "CT": "Connecticut", "DE": "Delaware", "DC": "District of Columbia", "FL": "Florida", "GA": "Georgia",
    "HI": "Hawaii", "ID": "Idaho", "IL": "Illinois", "IN": "Indiana", "IA": "Iowa", "KS": "Kansas",
    "KY": "Kentucky", "LA": "Louisiana", "ME": "Maine", "MD": "Maryland", "MA": "Massachusetts", "MI": "Michigan",
    "MN": "Minnesota", "MS": "Mississippi", "MO": "Missouri", "MT": "Montana", "NE": "Nebraska", "NV": "Nevada",
    "NH": "New Hampshire", "NJ": "New Jersey", "NM": "New Mexico", "NY": "New York", "NC": "North Carolina",
    "ND": "North Dakota", "OH": "Ohio", "OK": "Oklahoma", "OR": "Oregon", "PA": "Pennsylvania",
    "RI": "Rhode Island", "SC": "South Carolina", "SD": "South Dakota", "TN": "Tennessee", "TX": "Texas",
    "UT": "Utah", "VT": "Vermont", "VA": "Virginia", "WA": "Washington", "WV": "West Virginia", "WI": "Wisconsin",
    "WY": "Wyoming", "AS": "American Samoa", "FM": "Federated States of Micronesia", "GU": "Guam",
    "MH": "Marshall Islands", "MP": "Northern Mariana Islands", "PR": "Puerto Rico", "PW": "Palau",
    "VI": "Virgin Islands", "AA": "Armed Forces Americas", "AE": "Armed Forces Europe",
    "AP": "Armed Forces Pacific",
}  # fmt: skip

_OTHER_NAMES: Final = {
    "washington dc": "DC",
    "us virgin islands": "VI",
    "virgin islands us": "VI",
    "micronesia": "FM",
}

#: The code for each state's name, in lower case.
STATE_CODES: Final = {name.casefold(): code for code, name in STATES.items()} | _OTHER_NAMES

#: The terms that the boards document, by the board's host and the job's field.
LISTED_TERMS: Final[Mapping[str, Vocabulary]] = {
    "www.locumjobsonline.com": {
        "license": frozenset({"MD", "DO", "PA", "NP", "CRNA", "DPM", "OD", "CAA", "DMD", "DDS"}),
        "specialty": frozenset({
            "Addiction Medicine", "Administration", "Adolescent Medicine", "Allergy and Immunology", "Anesthesiology",
            "Anesthesiology - Cardiac", "Anesthesiology - Critical Care", "Anesthesiology - Neuro", "Anesthesiology - OB",
            "Cardiac Electrophysiology", "Cardiology", "Cardio - Advanced Heart Failure / Transplant",
            "Cardio - Interventional", "Cardiothoracic Surgery", "Cardiovascular Disease",
            "Child and Adolescent Psychiatry", "Colorectal Surgery", "Critical Care", "Dermatology", "Dermatopathology",
            "Emergency Medicine", "Endocrinology", "Epilepsy", "Family Practice", "Gastroenterology", "General Practice",
            "General Surgery", "Genetics", "Geriatrics", "Hematology and Oncology", "Hepatology", "Hospitalist",
            "Infectious Disease", "Internal Medicine", "Interventional Radiology", "Maternal-Fetal Medicine", "Neonatal",
            "Nephrology", "Neurology", "Neurosurgery", "Nurse Practitioner", "Obstetrics and Gynecology",
            "Occupational Medicine", "Oncology", "Ophthalmology", "Orthopedic Surgery", "Osteopathic", "Other",
            "Otolaryngology", "Palliative Medicine", "Pathology", "Pediatric Surgery", "Pediatrics", "Perinatology",
            "Physical Medicine", "Psychiatry", "Psychology", "Pulmonology", "Radiation Oncology", "Radiology",
            "Rheumatology", "Transplant Surgery", "Trauma Surgery", "Urgent Care", "Urology", "Vascular Surgery",
        }),
    },
    "www.travelnursesource.com": {
        "license": frozenset({"RN", "LPN / LVN", "CNA"}),
    },
}  # fmt: skip


def vocabulary_of(board_url: str) -> Vocabulary:
    """Return the terms that a board documents; none for a host that is not in the table."""
    return LISTED_TERMS.get(urlsplit(board_url).hostname or "", NOTHING_LISTED)


def warn_of_unlisted_terms(job: Mapping[str, Any], vocabulary: Vocabulary) -> list[RowWarning]:
    """Warn of a value outside the board's documented list. The board may or may not know it."""
    return [
        _unlisted(name, value, listed)
        for name, listed in vocabulary.items()
        if isinstance(value := job.get(name), str) and value not in listed
    ]


def _unlisted(name: str, value: str, listed: Collection[str]) -> RowWarning:
    near = next((each for each in listed if each.casefold() == value.casefold()), None)
    hint = f", which writes {near!r}" if near else ""
    message = f"{name} {quoted(value)} is not on the board's documented list{hint}: the board decides"
    return RowWarning((name, "unknown", value[:MAX_QUOTED]), message)
