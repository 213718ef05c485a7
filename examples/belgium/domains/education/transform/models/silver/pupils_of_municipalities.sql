-- Pupils by municipality, the totals left out.
select
    nis_code,
    sum(pupils) filter (level = 'preschool')::integer as preschool_pupils,
    sum(pupils) filter (level = 'primary')::integer as primary_pupils
from {{ ref('pupils') }}
where not is_total
group by nis_code
