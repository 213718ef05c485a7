-- The newest version of each case.
select
    case_id,
    child_id,
    trim(case_number) as case_number,
    lower(trim(district)) as district,
    opened_on,
    closed_on,
    reported_by,
    counsellor,
    remark,
    updated_at
from {{ source('raw', 'cases') }}
qualify row_number() over (partition by case_id order by updated_at desc, rowid desc) = 1
