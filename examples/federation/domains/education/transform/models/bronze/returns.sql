-- Classes of the accepted returns, of the last version of each workbook.
select
    trim(class_code) as class_code,
    trim(site_code) as site_code,
    lower(trim(level)) as level,
    upper(trim(grade)) as grade,
    trim(nis_code) as nis_code,
    lower(trim(network)) as network,
    counted_on,
    girls,
    boys,
    pupils,
    periods,
    attendance_percent,
    fees_eur,
    paid_on
from {{ current_rows(source('raw', 'returns')) }}
