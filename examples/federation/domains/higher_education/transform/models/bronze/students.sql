-- The newest version of each student, without name, address and account.
select
    student_id,
    regexp_replace(national_number, '\D', '', 'g') as national_number,
    upper(sex) as sex,
    birth_date,
    upper(nationality) as nationality,
    trim(postcode) as postcode,
    updated_at
from {{ current_keys(source('raw', 'students'), 'student_id') }}
