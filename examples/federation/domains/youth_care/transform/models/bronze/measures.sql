-- The newest version of each measure.
select
    measure_id,
    case_id,
    lower(trim(kind)) as kind,
    lower(trim(place)) as place,
    service_code,
    began_on,
    ended_on,
    daily_rate_eur,
    reference,
    updated_at
from {{ source('raw', 'measures') }}
qualify row_number() over (partition by measure_id order by updated_at desc, rowid desc) = 1
