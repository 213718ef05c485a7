-- Fails for each library and year that lacks a month, or has one twice.
select library_id, year(month) as year, count(*) as months
from {{ ref('visits') }}
group by all
having count(*) <> 12
