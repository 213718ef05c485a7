-- Places of the last version of each workbook.
select
    trim(service_code) as service_code,
    trim(name) as name,
    lower(trim(kind)) as kind,
    trim(nis_code) as nis_code,
    contact,
    telephone,
    month,
    places,
    occupied,
    occupancy_percent,
    remark
from {{ current_rows(source('raw', 'placements')) }}
