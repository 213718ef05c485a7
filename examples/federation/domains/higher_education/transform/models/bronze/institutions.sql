-- Institutions as the newest workbook has them. Whom to call stays behind in raw.
select
    trim(institution_id) as institution_id,
    trim(name) as name,
    lower(trim(institution_type)) as institution_type,
    trim(postcode) as postcode,
    trim(nis_code) as nis_code,
    students,
    staff_fte
from {{ current_rows(source('raw', 'institutions')) }}
qualify row_number() over (partition by trim(institution_id) order by _origin desc) = 1
