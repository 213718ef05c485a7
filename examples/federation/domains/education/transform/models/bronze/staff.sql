-- Staff of the last load.
select
    staff_id,
    school_id,
    regexp_replace(national_number, '\D', '', 'g') as national_number,
    trim(last_name) as last_name,
    trim(first_name) as first_name,
    upper(sex) as sex,
    birth_date,
    lower(trim(email)) as email,
    trim(phone) as phone,
    lower(trim(job)) as job,
    hours_per_week,
    hired_on,
    updated_at
from {{ current_rows(source('raw', 'staff')) }}
