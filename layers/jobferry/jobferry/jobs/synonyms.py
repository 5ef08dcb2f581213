"""What job feeds call the board's fields.

Sources: the feed specifications of Indeed, ZipRecruiter, Appcast, LinkedIn and Recruitee; the APIs of Bullhorn, JobAdder,
Greenhouse, Lever and SmartRecruiters; the fields of WP Job Manager and JobRelay; schema.org's JobPosting; and the column
names of spreadsheets and databases. Names that may mean something else are left out: `date` is often the day of posting,
`category` the industry, `location` a city with its state, `rate` what the client pays.
"""

import re
from typing import Final

from jobferry.feeds.rows import plain_name
from jobferry.jobs.fields import FIELDS

#: For each field, its names. Names in an earlier text are preferred if a feed has several.
_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "referenceNumber": (
        """referencenumber reference referenceid referenceno referencecode refnumber refno refnum refid ref jobreference
        jobreferencenumber jobreferenceid jobref jobrefno jobrefid jobrefnumber postingreference adreference ourreference""",
        """jobid jobnumber jobno jobnum jobidnumber jobcode jobkey jobjid jid joborder joborderid jobordernumber joborderno
        orderid ordernumber orderno postingid postingnumber jobpostingid jobpostid listingid joblistingid adid jobadid
        partnerjobid externaljobid externalid vacancyid vacancyreference positionid positionnumber assignmentid
        assignmentnumber openingid identifiervalue uniqueid uniquejobid""",
        """requisitionid requisitionnumber requisitionno requisition requisitioncode jobrequisitionid jobrequisitionnumber
        jobrequisition reqid reqnumber reqno reqnum req jobreqid refreqid""",
        "id postid",
        "guid uuid identifier internaljobid",
    ),
    "title": (
        """title jobtitle jobname positiontitle positionname postingtitle jobpostingtitle adtitle vacancytitle
        openingtitle assignmenttitle posttitle jobadtitle jobheadline requisitiontitle reqtitle""",
    ),
    "city": (
        """city jobcity cityname worksitecity facilitycity assignmentcity positioncity jobaddresscity town suburb
        citytown addresslocality municipality""",
    ),
    "state": (
        """state st statecode stateabbreviation stateabbr stateabbrev statename stateprovince province provincestate
        stateregion region regioncode jobstate worksitestate facilitystate assignmentstate positionstate addressregion
        usstate stateid provincecode""",
    ),
    "postalCode": (
        """postalcode postcode postal zip zipcode zippostal zippostalcode zip5 zipcode5 jobzip jobzipcode
        jobpostalcode worksitezip worksitezipcode facilityzip facilityzipcode assignmentzip postalzip zippostcode""",
    ),
    "description": (
        # Bullhorn's `description` is internal, WordPress's is an excerpt.
        "publicdescription publisheddescription postingdescription contentencoded",
        """description jobdescription desc jobdesc descriptionhtml jobdescriptionhtml htmldescription fulldescription
        positiondescription jobbody body
        bodyhtml content jobcontent postcontent jobtext adtext jobad advert advertbody advertisement
        assignmentdescription longdescription jobdetails""",
    ),
    "requirements": (
        """requirements requirement jobrequirements jobrequirement qualifications qualification
        jobqualifications requirementshtml skillsrequired requiredskills minimumqualifications jobskills positionrequirements
        requirementsqualifications requiredqualifications candidaterequirements""",
    ),
    "license": (
        """license licence licensetype licencetype licenses licences licenserequired requiredlicense credential
        credentials credentialtype providertype profession discipline licensure""",
    ),
    "specialty": (
        """specialty speciality specialties specialities specialtyname jobspecialty spec medicalspecialty
        primaryspecialty clinicalspecialty physicianspecialty providerspecialty""",
    ),
    "shift": ("shift jobshift shiftname shiftdescription shifttime shifttimes shiftschedule workshift",),
    "shiftType": ("shifttype typeofshift shiftkind daynight dayornight",),
    "shiftsPerWeek": (
        """shiftsperweek shiftsweek shiftperweek numberofshiftsperweek noofshiftsperweek weeklyshifts shiftswk
        shiftsperwk numshiftsperweek shiftcountperweek""",
    ),
    "hoursPerShift": (
        """hourspershift hoursshift shifthours hourpershift shiftlength shiftlengthhours shiftduration hrspershift hrsshift
        numberofhourspershift hoursinshift lengthofshift""",
    ),
    "payAmountMin": (
        """payamountmin paymin minpay minimumpay payfrom paylow lowpay paystart payratemin minpayrate
        minimumpayrate payratefrom payratelow lowpayrate ratemin minrate minimumrate ratefrom ratelow lowrate salarymin
        minsalary minimumsalary salaryfrom salarylow lowsalary salaryrangemin salaryrangefrom salaryminvalue
        salaryminimum salaryratelow compensationmin mincompensation compensationfrom compensationlow compensationminimum
        hourlyratemin minhourlyrate hourlymin wagemin minwage wagefrom payrangemin payrangestart payrangefrom
        payrangelow basesalaryvalueminvalue basesalaryminvalue estimatedsalaryminvalue salaryminamount
        jobsalarymin salaryrangestart minimumcompensation payminimum""",
    ),
    "payAmountMax": (
        """payamountmax paymax maxpay maximumpay payto payhigh highpay payend payratemax maxpayrate
        maximumpayrate payrateto payratehigh highpayrate ratemax maxrate maximumrate rateto ratehigh highrate salarymax
        maxsalary maximumsalary salaryto salaryhigh highsalary salaryrangemax salaryrangeto salarymaxvalue
        salarymaximum salaryratehigh compensationmax maxcompensation compensationto compensationhigh compensationmaximum
        hourlyratemax maxhourlyrate hourlymax wagemax maxwage wageto payrangemax payrangeend payrangeto
        payrangehigh basesalaryvaluemaxvalue basesalarymaxvalue estimatedsalarymaxvalue salarymaxamount
        jobsalarymax salaryrangeend maximumcompensation paymaximum""",
    ),
    "payFrequency": (
        """payfrequency payperiod payper payunit payinterval paytype payratetype payrateunit payrateper
        salaryunit salaryper salaryperiod salaryinterval salaryfrequency salarytype salaryrateper jobsalaryunit
        compensationinterval compensationperiod compensationfrequency compensationunit rateunit rateper rateperiod
        ratetype ratefrequency salaryrangeinterval salarytimeunit wageperiod wagetype wageunit basesalaryvalueunittext
        basesalaryunittext salaryrateperiod payratefrequency""",
    ),
    "employmentType": (
        """employmenttype jobtype jobtypes typeofemployment employmenttypes jobemploymenttype worktype
        worktypename jobworktype positiontype contracttype commitment categoriescommitment employmentstatus
        typeofemploymentlabel typeofemploymentname assignmenttype engagementtype jobtimetype employmentcategory typeofjob
        jobcontracttype employment""",
    ),
    "durationLength": (
        """durationlength duration durationweeks durationinweeks durationmonths durationdays jobduration
        assignmentlength assignmentduration assignmentweeks contractlength contractduration contractweeks lengthofassignment
        lengthofcontract length weeks lengthinweeks lengthweeks numberofweeks""",
    ),
    "durationUnit": (
        """durationunit durationunits durationtype durationperiod lengthunit lengthunits unitofduration
        assignmentlengthunit contractlengthunit durationinterval""",
    ),
    "startDate": (
        """startdate jobstartdate datestart start starting startingdate startson startingon assignmentstart
        assignmentstartdate contractstart contractstartdate estimatedstartdate estimatedstart anticipatedstartdate
        projectedstartdate expectedstartdate jobstart positionstartdate workstartdate beginning begindate
        jobstartingdate eststart eststartdate""",
    ),
    "benefits": (
        """benefits benefit jobbenefits benefitshtml benefitsdescription perks benefitsperks perksbenefits
        salarybenefits benefitspackage employeebenefits""",
    ),
}

#: For a name as `bare_name` returns it: the board's field, and the rank of the name among those of the field.
NAMES: Final = {field.lower(): (field, 0) for field in FIELDS} | {
    name: (field, rank) for field, texts in _NAMES.items() for rank, text in enumerate(texts) for name in text.split()
}
#: A name of one pay instead of a lowest and a highest one: the board's `payAmountMin`, if there is no other.
ONE_PAY: Final = frozenset({
    "pay", "payrate", "payamount", "salary", "salaryamount", "hourlyrate", "hourlypay", "hourlypayrate", "hourlywage", "wage",
    "wages", "dailyrate", "dailypay", "annualsalary", "basesalary", "basesalaryvalue", "basesalaryvaluevalue", "basepay",
    "compensation", "jobsalary", "payvalue", "hourlycompensation", "annualpay",
})  # fmt: skip
#: Words before the name itself, also as elements and objects that the fields are in: `job.title` and `Job Title`.
_CONTAINERS: Final = frozenset({
    "job", "jobs", "position", "vacancy", "assignment", "joborder", "jobdata", "jobdetails", "jobinfo", "jobposting",
    "detail", "details", "data", "info", "general", "custom", "customfields", "fields", "field", "acf", "meta", "attributes",
    "portal",
})  # fmt: skip
#: The same for fields of the place only.
_PLACES: Final = frozenset({
    "address", "addresses", "location", "locations", "loc", "joblocation", "jobaddress", "worklocation", "worksite", "work",
    "site", "facility", "hospital", "place", "workplace",
})  # fmt: skip
_FIELDS_OF_PLACES: Final = frozenset({"city", "state", "postalCode"})
#: The words of a name: a capital letter begins one after a small letter.
_WORD: Final = re.compile(r"#|[0-9]+|[A-Z]*[^\W\d_A-Z]+|[A-Z]+")
_OTHER_MARKS: Final = re.compile(r"[^a-z0-9]+")


def field_of(name: str) -> str | None:
    """Return the board's field that a feed's name or path means; None if no job feed is known to use it."""
    found = meaning_of(name)
    return found[0] if found else None


def meaning_of(name: str) -> tuple[str, int] | None:
    """Return the board's field that a name or path means, and the rank of the name."""
    if name.startswith("job_listing:"):  # WP Job Manager's prefix in RSS
        name = name.partition(":")[2]
    words = [bare_name(word) for word in _WORD.findall(name)]
    in_place = False
    while words:
        found = NAMES.get("".join(words))
        if found and (not in_place or found[0] in _FIELDS_OF_PLACES):
            return found
        in_place = in_place or words[0] in _PLACES
        if words[0] not in _CONTAINERS | _PLACES:
            return None
        words = words[1:]
    return None


def bare_name(name: str) -> str:
    """Return the letters and digits of a name, in lower case."""
    return _OTHER_MARKS.sub("", plain_name(name).replace("#", "number"))
