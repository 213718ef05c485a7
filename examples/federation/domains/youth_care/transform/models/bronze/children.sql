-- The newest version of each child: loads bring only what changed, so the last load alone is not enough.
select
    child_id,
    regexp_replace(national_number, '\D', '', 'g') as national_number,
    trim(last_name) as last_name,
    trim(first_name) as first_name,
    upper(sex) as sex,
    birth_date,
    trim(street) as street,
    trim(postcode) as postcode,
    trim(nis_code) as nis_code,
    trim(guardian_last_name) as guardian_last_name,
    trim(guardian_first_name) as guardian_first_name,
    guardian_telephone,
    health_note,
    updated_at
from {{ source('raw', 'children') }}
qualify row_number() over (partition by child_id order by updated_at desc, rowid desc) = 1
