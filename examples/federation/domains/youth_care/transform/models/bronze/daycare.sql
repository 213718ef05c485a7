-- Attendance of the last version of each file.
select
    trim(centre_code) as centre_code,
    trim(name) as name,
    trim(postcode) as postcode,
    trim(nis_code) as nis_code,
    month,
    places,
    enrolled,
    child_days,
    mean_fee_eur
from {{ current_rows(source('raw', 'daycare')) }}
