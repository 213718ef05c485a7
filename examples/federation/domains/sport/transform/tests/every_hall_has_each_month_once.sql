-- Fails for a hall that reported a month twice: a total row taken for data would show here too.
select hall_id, month, count(*) as times
from {{ ref('attendance') }}
group by all
having count(*) <> 1 or hall_id not like 'INF%'
