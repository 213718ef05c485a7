-- The newest version of each entry into a school.
select
    enrolment_id,
    pupil_id,
    school_id,
    trim(school_year) as school_year,
    upper(trim(grade)) as grade,
    entered_on,
    updated_at
from {{ source('raw', 'enrolments') }}
qualify row_number() over (partition by enrolment_id order by updated_at desc, rowid desc) = 1
