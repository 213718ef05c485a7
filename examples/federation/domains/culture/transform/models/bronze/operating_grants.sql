-- What operators are paid to run; the year is only in the file's name.
select
    {{ year_of_origin() }} as year,
    trim(enterprise_number) as enterprise_number,
    trim(operator) as operator,
    trim(nis_code) as nis_code,
    amount_eur
from {{ current_rows(source('raw', 'operating_grants')) }}
