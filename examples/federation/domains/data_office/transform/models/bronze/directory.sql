-- Who was in service at the end of each month, and for which data; names stay behind in raw.
select
    strptime(regexp_extract(_origin, '(\d{4}-\d{2})\D*$', 1), '%Y-%m')::date as month,
    trim(staff_number) as staff_number,
    trim(person) as person,
    trim(service) as service,
    trim(title) as title,
    nullif(trim(role), '') as role,
    entered_on
from {{ current_rows(source('raw', 'directory')) }}
