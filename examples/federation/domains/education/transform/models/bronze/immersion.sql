-- Immersion of the last version of each workbook; the year is only in the name of the file.
select
    school_id,
    regexp_extract(_origin, '(\d{4})\.ods$', 1)::integer as year,
    lower(trim(language)) as language,
    pupils,
    hours_per_week
from {{ current_rows(source('raw', 'immersion')) }}
