"""A sample feed: locum tenens jobs in a CSV file, with the columns and formats of an agency's own system.

The places and their ZIPs are real; ZIPs lack a leading zero, as a spreadsheet would save them. The agency is invented.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any, Final

type SampleRow = dict[str, str]

#: The agency's columns and the board's fields: `fields` in its feed.json.
COLUMNS: Final = {
    "Job ID": "referenceNumber",
    "Job Title": "title",
    "City": "city",
    "ST": "state",
    "Zip": "postalCode",
    "Specialty": "specialty",
    "License": "license",
    "Description": "description",
    "Requirements": "requirements",
    "Shift": "shiftType",
    "Shifts/Week": "shiftsPerWeek",
    "Hours/Shift": "hoursPerShift",
    "Pay From": "payAmountMin",
    "Pay To": "payAmountMax",
    "Pay Per": "payFrequency",
    "Type": "employmentType",
    "Length": "durationLength",
    "Length Unit": "durationUnit",
    "Start": "startDate",
    "Benefits": "benefits",
}

#: The agency's own abbreviations: `values` in its feed.json.
ABBREVIATIONS: Final = {
    "specialty": {
        "FP": "Family Practice",
        "IM": "Internal Medicine",
        "EM": "Emergency Medicine",
        "OB/GYN": "Obstetrics and Gynecology",
    },
    "shiftType": {"D": "days", "N": "nights", "E": "evening"},
    "payFrequency": {"hr": "Hourly", "day": "Daily"},
}

#: The feed's settings. They let jobferry delete postings that are not in the feed.
SAMPLE_SETTINGS: Final[dict[str, Any]] = {
    "deleteJobs": True,
    "notifyOnSuccess": True,
    "fields": COLUMNS,
    "values": ABBREVIATIONS,
    "defaults": {"durationUnit": "week"},
}

_PLACES: Final = """
Lancaster PA 17603|Scranton PA 18503|Erie PA 16501|Boston MA 02114|Worcester MA 01605|Burlington VT 05401|Bangor ME 04401
Concord NH 03301|Hartford CT 06103|Trenton NJ 08608|Camden NJ 08103|Rochester NY 14604|Syracuse NY 13202|Wilmington DE 19801
Charleston WV 25301|Roanoke VA 24011|Raleigh NC 27601|Asheville NC 28801|Charlotte NC 28202|Greenville SC 29601|Macon GA 31201
Pensacola FL 32501|Mobile AL 36602|Jackson MS 39201|Chattanooga TN 37402|Lexington KY 40507|Dayton OH 45402|Toledo OH 43604
Flint MI 48502|Marquette MI 49855|Fort Wayne IN 46802|Peoria IL 61602|Green Bay WI 54301|Duluth MN 55802|Fargo ND 58102
Rapid City SD 57701|Des Moines IA 50309|Springfield MO 65806|Wichita KS 67202|Omaha NE 68102|Tulsa OK 74103|Little Rock AR 72201
Shreveport LA 71101|Lubbock TX 79401|El Paso TX 79901|Santa Fe NM 87501|Flagstaff AZ 86001|Pueblo CO 81003|Casper WY 82601
Billings MT 59101|Boise ID 83702|Spokane WA 99201|Eugene OR 97401|Redding CA 96001|Fresno CA 93721|Reno NV 89501|Anchorage AK 99501
Hilo HI 96720|San Juan PR 00901
"""


#: The agency's kinds of jobs: specialty, role, licenses, dollars an hour, workplace, duties.
_LINES: Final = """
Hospitalist|hospitalist|MD DO|150-215|a community hospital|rounds on 15 to 18 patients a day, admissions shared
EM|emergency physician|MD DO|210-320|a Level III emergency department|about two patients an hour, APP support on every shift
FP|family physician|MD DO|110-160|an outpatient clinic|18 to 22 patients a day, all ages, no obstetrics
IM|internist|MD DO|120-175|a multispecialty group|adult primary care, phone call one night in six
Anesthesiology|anesthesiologist|MD DO|260-380|an eight-room OR|general, orthopedic and GI cases, supervision of CRNAs
Anesthesiology|nurse anesthetist|CRNA|175-250|a surgery center|sedation and general cases, no call, no weekends
Critical Care|intensivist|MD DO|230-330|a 20-bed mixed ICU|intubations, lines and ventilator management
Psychiatry|psychiatrist|MD DO|170-240|an inpatient behavioral health unit|a census of 12 to 14, consults as needed
Child and Adolescent Psychiatry|child psychiatrist|MD DO|190-260|an outpatient clinic, telehealth possible|evaluations and medication management
Radiology|radiologist|MD DO|230-340|an imaging department|CT, MRI, US and plain films, light fluoroscopy
OB/GYN|OB/GYN|MD DO|160-230|a labor and delivery unit|laborist coverage, about 60 deliveries a month
General Surgery|general surgeon|MD DO|170-250|a critical access hospital|bread-and-butter cases, trauma is transferred
Orthopedic Surgery|orthopedic surgeon|MD DO|220-320|a regional hospital|trauma call and fracture clinic
Cardiology|cardiologist|MD DO|220-310|a cardiology practice|noninvasive: echo, nuclear, stress, inpatient consults
Cardio - Interventional|interventional cardiologist|MD DO|280-400|a two-lab cath suite|STEMI call one week in three
Gastroenterology|gastroenterologist|MD DO|260-370|an endoscopy center|12 to 14 scopes a day, ERCP welcome
Neurology|neurologist|MD DO|190-270|a primary stroke center|inpatient consults, EEG reading
Pediatrics|pediatrician|MD DO|105-150|a pediatric clinic|well and sick visits, newborn rounds
Hematology and Oncology|hematologist-oncologist|MD DO|230-320|a cancer center|clinic four days a week, infusion supervision
Pulmonology|pulmonologist|MD DO|200-280|a pulmonary practice|clinic, bronchoscopy and consults
Nephrology|nephrologist|MD DO|180-250|a nephrology group|consults and three dialysis units
Urology|urologist|MD DO|220-300|a urology practice|clinic and general urology cases
Urgent Care|urgent care clinician|MD DO PA NP|75-130|an urgent care center|three to four patients an hour, X-ray on site
Nurse Practitioner|nurse practitioner|NP|70-95|a rural health clinic|an independent panel, physician by phone
Occupational Medicine|occupational medicine clinician|MD DO PA|95-150|an occupational health clinic|DOT exams, injury care, return-to-work notes
"""

_SHIFTS: Final = (("D", 5, 8), ("D", 4, 10), ("D", 3, 12), ("N", 3, 12), ("N", 4, 12), ("E", 4, 8), ("D", 7, 12))


def make_rows(count: int = 200, seed: int = 1, today: date = date(2026, 11, 23)) -> list[SampleRow]:
    """Make this many valid jobs; the same for the same arguments."""
    chance = random.Random(seed)  # noqa: S311  nothing here is secret
    numbers = chance.sample(range(20000, 60000), count)
    lines = _LINES.strip().splitlines()
    return [_row(number, lines[index % len(lines)], chance, today) for index, number in enumerate(numbers)]


def _row(number: int, line: str, chance: random.Random, today: date) -> SampleRow:
    specialty, role, licenses, pay, workplace, duties = line.split("|")
    city, state, code = chance.choice(_PLACES.strip().replace("\n", "|").split("|")).rsplit(" ", 2)
    low, high = map(int, pay.split("-"))
    pay_from = chance.randrange(low, (low + high) // 2, 5)
    shift, per_week, hours = chance.choice(_SHIFTS)
    start = today + timedelta(days=chance.randrange(14, 120))
    weeks = chance.choice((4, 8, 13, 13, 26))
    permanent = chance.random() < 0.15
    return {
        "Job ID": f"LT-{number}",
        "Job Title": f"Locum {role} in {city}, {state}",
        "City": city,
        "ST": state,
        "Zip": code.lstrip("0"),
        "Specialty": specialty,
        "License": chance.choice(licenses.split()),
        "Description": (
            f"<p>{workplace[0].upper()}{workplace[1:]} in {city}, {state} needs a locum {role}.</p>\n"
            f"<ul><li>{duties[0].upper()}{duties[1:]}</li><li>{per_week} shifts a week, {hours} hours each</li>"
            f"<li>{weeks} weeks, extension likely</li></ul>"
        ),
        "Requirements": f"Active {state} license, board certified or eligible, BLS & ACLS",
        "Shift": shift,
        "Shifts/Week": str(per_week),
        "Hours/Shift": str(hours),
        "Pay From": f"${pay_from}",
        "Pay To": f"${chance.randrange(pay_from + 10, high + 15, 5)}",
        "Pay Per": "hr",
        "Type": "Locum Tenens; Permanent" if permanent else "Locum Tenens",
        "Length": str(weeks),
        "Length Unit": chance.choice(("week", "")),
        "Start": f"{start.month}/{start.day}/{start.year}",
        "Benefits": "Malpractice with tail, travel and housing paid",
    }


def break_three(rows: Iterable[SampleRow]) -> list[SampleRow]:
    """Break three rows with typical mistakes that the board refuses."""
    broken = [dict(row) for row in rows]
    broken[56]["ST"] = "MC"  # beside NC on the keyboard
    broken[112]["Zip"] = "0"  # how a spreadsheet saves an empty number
    broken[171]["Zip"] = f"{broken[171]['Zip'][:3]}O{broken[171]['Zip'][4:]}"  # the letter O
    return broken


def next_day(rows: Iterable[SampleRow], seed: int = 2) -> list[SampleRow]:
    """Change a valid feed as a day does: two jobs are gone, five have better pay, four new ones are at the end."""
    chance = random.Random(seed)  # noqa: S311
    later = [dict(row) for row in rows]
    for index in sorted(chance.sample(range(len(later)), 2), reverse=True):
        del later[index]
    for row in chance.sample(later, 5):
        row["Pay To"] = f"${int(row['Pay To'][1:]) + 15}"
    known = {row["Job ID"] for row in later}
    return later + [row for row in make_rows(20, seed) if row["Job ID"] not in known][:4]


def as_csv(rows: Iterable[SampleRow]) -> bytes:
    """Write the rows as a spreadsheet does: row 1 is the header, so the first job is in row 2."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(COLUMNS))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8-sig")
