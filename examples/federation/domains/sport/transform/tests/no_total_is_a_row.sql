-- Fails for a row that is no infrastructure: a total taken for data would show here.
select facility_id, month
from {{ ref('attendance') }}
where facility_id not like 'INF%'
