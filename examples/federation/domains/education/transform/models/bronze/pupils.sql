-- The newest version of each pupil: loads bring only what changed, so the last load alone is not enough. Remarks stay behind in raw.
select
    pupil_id,
    school_id,
    regexp_replace(national_number, '\D', '', 'g') as national_number,
    trim(last_name) as last_name,
    trim(first_name) as first_name,
    upper(sex) as sex,
    birth_date,
    upper(trim(grade)) as grade,
    trim(philosophy_course) as philosophy_course,
    trim(street) as street,
    trim(postcode) as postcode,
    nullif(trim(nis_code), '') as nis_code,
    left_on,
    updated_at
from {{ source('raw', 'pupils') }}
qualify row_number() over (partition by pupil_id order by updated_at desc, rowid desc) = 1
