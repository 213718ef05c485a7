-- The newest version of each enrolment: it comes again with its result.
select
    enrolment_id,
    student_id,
    trim(institution_id) as institution_id,
    trim(academic_year) as academic_year,
    lower(trim(study_domain)) as study_domain,
    trim(cycle) as cycle,
    credits,
    fee_eur,
    trim(status) as status,
    updated_at
from {{ current_keys(source('raw', 'enrolments'), 'enrolment_id') }}
