-- The codes of the last workbook; the list is a merged cell, so only its first line has it: carry it down to the next.
select
    last_value(nullif(trim(list), '') ignore nulls) over (order by _row) as list,
    trim(code) as code,
    trim(label_fr) as label_fr,
    trim(label_nl) as label_nl
from {{ current_rows(source('raw', 'codes')) }}
